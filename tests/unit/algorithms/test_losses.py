"""Losses against numbers worked out by hand, and their gradients against finite differences."""

import math

import numpy as np
import pytest
import torch

from echochamber.algorithms import losses

T, F = True, False
MASK = torch.tensor([[T, T, T], [T, F, F]])


def f64(*rows):
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [("k1", math.log(2)), ("k2", math.log(2) ** 2 / 2), ("k3", 0.5 - 1 + math.log(2))],  # policy .5, reference .25
)
def test_kl_estimators_by_hand(estimator, expected):
    found = losses.log_ratio_estimate(f64(math.log(0.5) - math.log(0.25)), estimator)
    assert found.item() == pytest.approx(expected, abs=1e-12)


def test_expectations_of_the_estimators():
    policy, reference = f64(0.5, 0.3, 0.2), f64(0.2, 0.3, 0.5)
    log_ratio = (policy / reference).log()
    kl = (policy * log_ratio).sum()
    for estimator in ("k1", "k3"):
        assert torch.allclose((policy * losses.log_ratio_estimate(log_ratio, estimator)).sum(), kl)


def test_sequence_level_kl_is_that_of_the_whole_completion_on_its_last_token():
    logprobs, reference = f64([0.1, 0.2, 0.3], [0.5, 7.0, 7.0]), f64([0.0, 0.0, 0.0], [0.0, 1.0, 2.0])
    found = losses.kl_loss(logprobs, reference, MASK, estimator="k2", level="sequence")
    assert torch.allclose(found, f64([0.0, 0.0, 0.6**2 / 2], [0.5**2 / 2, 0.0, 0.0]))
    token = losses.kl_loss(logprobs, reference, MASK, estimator="k2", level="token")
    assert torch.allclose(token, f64([0.005, 0.02, 0.045], [0.125, 0.0, 0.0]))


@pytest.mark.parametrize(
    ("ratio", "advantage", "expected"),
    [(1.5, 1.0, -1.2), (1.5, -1.0, 1.5), (0.5, 1.0, -0.5), (0.5, -1.0, 0.8), (1.1, 2.0, -2.2), (1.0, -3.0, 3.0)],
)
def test_clipped_policy_loss_by_hand(ratio, advantage, expected):
    found = losses.clipped_policy_loss(f64(ratio), f64(advantage), low=0.2, high=0.2)
    assert found.item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("value", "old", "target", "expected"),
    [(1.0, 0.0, 1.5, 1.3**2), (0.1, 0.0, 1.0, 0.9**2), (1.0, 0.0, -1.0, 4.0), (-1.0, 0.0, -1.5, 1.3**2)],
)
def test_clipped_value_loss_by_hand(value, old, target, expected):
    found = losses.value_loss(f64(value), f64(old), f64(target), clip=0.2)
    assert found.item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("reduction", "expected"), [("token", 16 / 4), ("sequence", (2 + 10) / 2), ("constant", 16 / (2 * 5))]
)
def test_reductions_by_hand(reduction, expected):
    per_token = f64([1.0, 2.0, 3.0], [10.0, 99.0, float("nan")])
    weights = losses.sequence_weights(torch.tensor([3, 1]), reduction, max_tokens=5)
    assert losses.weighted_sum(per_token, MASK, weights).item() == pytest.approx(expected, rel=1e-6)


def test_the_mean_of_micro_batch_means():
    """Against the released code's own order of sums: each micro-batch's token mean, then their mean."""
    rng = np.random.default_rng(3)
    lengths, mean_of = [3, 1, 5, 2, 4, 8], 2
    rows = [rng.normal(size=n) for n in lengths]
    expected = np.mean([np.concatenate(rows[i : i + mean_of]).mean() for i in range(0, len(rows), mean_of)])
    per_token = f64(*[[*row, *[float("nan")] * (8 - len(row))] for row in rows])
    mask = torch.arange(8) < torch.tensor(lengths)[:, None]

    def loss(reduction, mean_of):
        weights = losses.sequence_weights(torch.tensor(lengths), reduction, max_tokens=8, mean_of=mean_of)
        return losses.weighted_sum(per_token, mask, weights).item()

    assert loss("micro_batch_mean", mean_of) == pytest.approx(expected, rel=1e-6)
    assert loss("micro_batch_mean", 6) == pytest.approx(loss("token", 1), rel=1e-6)
    assert loss("micro_batch_mean", 1) == pytest.approx(loss("sequence", 1), rel=1e-6)
    assert abs(loss("token", 1) - expected) > 1e-3


def test_the_last_of_the_means_may_be_of_fewer():
    """Of Expert Iteration's last batch of an epoch. (3 + 1) and 5 tokens: weights 1/8 each, and 1/10."""
    weights = losses.sequence_weights(torch.tensor([3, 1, 5]), "micro_batch_mean", max_tokens=8, mean_of=2)
    assert weights.tolist() == pytest.approx([1 / 8, 1 / 8, 1 / 10])


@pytest.mark.parametrize("reduction", ["token", "sequence", "constant"])
def test_micro_batches_add_up_to_the_update_batch(reduction):
    generator = torch.Generator().manual_seed(1)
    lengths = torch.tensor([3, 1, 5, 2, 4])
    per_token = torch.randn(5, 5, generator=generator, dtype=torch.float64)
    mask = torch.arange(5) < lengths[:, None]
    weights = losses.sequence_weights(lengths, reduction, max_tokens=8)
    whole = losses.weighted_sum(per_token, mask, weights)
    parts = [losses.weighted_sum(per_token[i], mask[i], weights[i]) for i in ([0, 3], [1], [2, 4])]
    assert torch.allclose(whole, sum(parts))


def test_no_gradient_reaches_the_padding():
    logprobs = f64([-1.0, -2.0, -3.0], [-0.5, -9.0, -float("inf")]).requires_grad_()
    reference = f64([-1.5, -1.0, -3.5], [-1.5, -2.0, 0.0])
    advantages = f64([1.0, 1.0, 1.0], [-1.0, 5.0, 5.0])
    log_ratio = torch.where(MASK, logprobs - logprobs.detach(), 0.0)
    per_token = losses.clipped_policy_loss(log_ratio.exp(), advantages, low=0.2, high=0.2)
    per_token = per_token + losses.kl_loss(logprobs, reference, MASK, estimator="k3", level="token")
    weights = losses.sequence_weights(torch.tensor([3, 1]), "token", max_tokens=3)
    losses.weighted_sum(per_token, MASK, weights).backward()
    assert logprobs.grad[~MASK].tolist() == [0.0, 0.0]
    assert (logprobs.grad[MASK] != 0).all()


@pytest.mark.parametrize("reduction", ["token", "sequence", "constant"])
def test_policy_gradient_by_finite_differences(reduction):
    generator = torch.Generator().manual_seed(2)
    old = torch.randn(2, 3, generator=generator, dtype=torch.float64)
    logprobs = (old + f64([0.3, 0.05, -0.4], [-0.1, 0.0, 0.0])).requires_grad_()  # inside and outside of the clip
    advantages = f64([1.0, -2.0, 0.5], [-1.0, 0.0, 0.0])
    weights = losses.sequence_weights(torch.tensor([3, 1]), reduction, max_tokens=4).double()

    def loss(x):
        ratio = torch.where(MASK, x - old, 0.0).exp()
        per_token = losses.clipped_policy_loss(ratio, advantages, low=0.2, high=0.2)
        return losses.weighted_sum(per_token, MASK, weights)

    assert torch.autograd.gradcheck(loss, logprobs)


@pytest.mark.parametrize("level", ["token", "sequence"])
@pytest.mark.parametrize("estimator", ["k2", "k3"])
def test_kl_gradient_by_finite_differences(estimator, level):
    generator = torch.Generator().manual_seed(3)
    logprobs, reference = torch.randn(2, 2, 3, generator=generator, dtype=torch.float64)

    def loss(x):
        return losses.kl_loss(x, reference, MASK, estimator=estimator, level=level).sum()

    assert torch.autograd.gradcheck(loss, logprobs.requires_grad_())


def test_value_gradient_by_finite_differences():
    values = f64(1.0, 0.1, -0.15, 0.5).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: losses.value_loss(x, torch.zeros(4), f64(1.5, 1.0, -1.0, -2.0), clip=0.2).sum(), values
    )


@pytest.mark.parametrize(("estimator", "slope"), [("k2", math.log(2)), ("k3", 1 - 0.5)])
def test_the_kl_coefficient_changes_the_gradient(estimator, slope):
    """The fault of the released code: KL 0, 1e-3 and 1e-2 had one gradient."""
    mask = torch.ones(1, 1, dtype=bool)
    for coefficient in (0.0, 1e-3, 1e-2):
        logprobs = f64([math.log(0.5)]).requires_grad_()
        reference = f64([math.log(0.25)])
        penalty = losses.kl_loss(logprobs, reference, mask, estimator=estimator, level="token")
        policy = losses.clipped_policy_loss((logprobs - logprobs.detach()).exp(), f64([1.0]), low=0.2, high=0.2)
        (policy + coefficient * penalty).sum().backward()
        assert logprobs.grad.item() == pytest.approx(-1 + coefficient * slope, abs=1e-12)


def test_k1_as_a_loss_has_no_gradient_in_expectation_and_is_refused():
    logits = f64(0.3, -1.0, 2.0).requires_grad_()
    logprobs = logits.log_softmax(0)
    estimate = losses.log_ratio_estimate(logprobs - f64(0.2, 0.3, 0.5).log(), "k1")
    (logprobs.exp().detach() * estimate).sum().backward()
    assert torch.allclose(logits.grad, torch.zeros(3, dtype=torch.float64), atol=1e-15)
    from pydantic import ValidationError

    from echochamber.settings import KL

    with pytest.raises(ValidationError, match="the gradient of k1 is zero in expectation"):
        KL(place="loss", estimator="k1", coefficient=0.1)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="allowed: k1, k2, k3"):
        losses.log_ratio_estimate(torch.zeros(1), "k4")
    with pytest.raises(ValueError, match="allowed: token, micro_batch_mean, sequence, constant"):
        losses.sequence_weights(torch.ones(1), "mean", max_tokens=1)
    with pytest.raises(ValueError, match="allowed: token, sequence"):
        losses.kl_loss(
            torch.zeros(1, 1), torch.zeros(1, 1), torch.ones(1, 1, dtype=bool), estimator="k2", level="group"
        )
