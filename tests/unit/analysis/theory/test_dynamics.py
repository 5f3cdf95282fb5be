"""Mean fields against closed forms and exact gradients; drift against exact Markov chains."""

from __future__ import annotations

import numpy as np
import pytest

from echochamber.analysis.theory import dynamics
from echochamber.analysis.theory.dynamics import Field

PAPER = np.array([[0.05, 0.90, 0.05]]), np.array([[0.584, 0.553, 0.05]])


def test_two_types_under_natural_gradient_are_logistic():
    """s(t) = 1 / (1 + (1 - s0) / s0 exp(-(p1 - p2) t))."""
    times = np.linspace(0, 40, 9)
    found = dynamics.trajectory(Field("natural"), np.array([[0.1, 0.9]]), np.array([[0.8, 0.5]]), times)
    assert found[:, 0, 0] == pytest.approx(1 / (1 + 9 * np.exp(-0.3 * times)), abs=1e-6)


def test_many_types_under_natural_gradient_are_reweighted_by_the_exponential():
    base, accuracies = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]), np.array([[0.2, 0.9, 0.5], [0.7, 0.1, 0.4]])
    found = dynamics.trajectory(Field("natural"), base, accuracies, np.array([0, 3.0]))[-1]
    weights = base * np.exp(3 * accuracies)
    assert found == pytest.approx(weights / weights.sum(1, keepdims=True), abs=1e-6)


def test_two_equal_halves_under_softmax_gradient():
    """Two types: d s/dt = 2 s^2 (1 - s)^2 d, so that 1/(1-s) - 1/s + 2 log(s/(1-s)) grows by 2 d t."""

    def integral(s):
        return 1 / (1 - s) - 1 / s + 2 * np.log(s / (1 - s))

    times = np.array([0, 5.0, 20.0, 80.0])
    s = dynamics.trajectory(Field("softmax"), np.array([[0.4, 0.6]]), np.array([[0.9, 0.6]]), times)[:, 0, 0]
    assert integral(s) - integral(s[0]) == pytest.approx(2 * 0.3 * times, abs=1e-4)


def test_the_frequent_format_first_reaches_95_percent_under_softmax_gradient_though_less_accurate():
    times = np.linspace(0, 20000, 20001)
    softmax = dynamics.trajectory(Field("softmax"), *PAPER, times)[:, 0]
    first = np.argmax((softmax >= 0.95).any(1))
    assert (softmax >= 0.95).any()
    assert softmax[first].argmax() == 1
    natural = dynamics.trajectory(Field("natural"), *PAPER, times)[:, 0]
    assert natural[-1].argmax() == 0  # the most accurate wins, whatever its share
    assert natural[-1, 0] > 0.999


@pytest.mark.parametrize("penalty", ["none", "forward", "reverse"])
@pytest.mark.parametrize("kind", dynamics.KINDS)
def test_fields_are_the_gradient_of_the_objective(kind, penalty):
    """J(theta) = sum_i s_i p_i - beta KL, by central differences; natural: the Fisher matrix solved for it."""
    base, p, beta = np.array([0.2, 0.5, 0.3]), np.array([0.9, 0.4, 0.6]), 0.35
    theta = np.log(base) + np.array([0.7, -0.4, 0.1])

    def objective(theta):
        s = dynamics.softmax(theta)
        kl = {"none": 0.0, "forward": s @ np.log(s / base), "reverse": base @ np.log(base / s)}[penalty]
        return s @ p - beta * kl

    h, s = 1e-5, dynamics.softmax(theta)
    gradient = np.array([(objective(theta + h * e) - objective(theta - h * e)) / (2 * h) for e in np.eye(3)])
    if kind == "natural":
        gradient = np.linalg.pinv(np.diag(s) - np.outer(s, s)) @ gradient
    found = Field(kind, penalty, beta).velocity(s[None], p[None], base[None])[0]
    moves = [s * (v - s @ v) for v in (gradient, found)]  # logits are known up to a constant
    assert moves[1] == pytest.approx(moves[0], abs=1e-8)


def test_the_softmax_field_is_the_expected_policy_gradient_of_the_trainers_loss():
    """Every format and reward enumerated, REINFORCE with the exact mean as its baseline, differentiated by autograd."""
    torch = pytest.importorskip("torch")
    s0, p = torch.tensor([0.05, 0.90, 0.05], dtype=torch.double), torch.tensor([0.584, 0.553, 0.05], dtype=torch.double)
    theta = s0.log().requires_grad_()
    log_pi = torch.log_softmax(theta, 0)
    expected = 0.0
    for i in range(3):
        for reward in (0.0, 1.0):
            chance = s0[i] * (p[i] if reward else 1 - p[i])
            expected = expected + chance * (reward - s0 @ p) * log_pi[i]
    expected.backward()
    found = Field("softmax").velocity(*(a[None] for a in (s0.numpy(), p.numpy(), s0.numpy())))[0]
    assert found == pytest.approx(theta.grad.numpy(), abs=1e-12)


@pytest.mark.parametrize(("penalty", "kl"), [("forward", "tilt"), ("reverse", "k3")])
@pytest.mark.parametrize("kind", dynamics.KINDS)
def test_both_fields_come_to_rest_where_the_kl_says(kind, penalty, kl):
    base, p, beta = np.array([[0.3, 0.5, 0.2]]), np.array([[0.8, 0.4, 0.1]]), 0.4
    rest = dynamics.trajectory(Field(kind, penalty, beta), base, p, np.array([0, 400.0]))[-1][0]
    if kl == "tilt":
        weights = base[0] * np.exp(p[0] / beta)
        assert rest == pytest.approx(weights / weights.sum(), abs=1e-6)
    else:  # p_i + beta a_i / s_i is the same for all
        fitness = p[0] + beta * base[0] / rest
        assert fitness == pytest.approx(np.full(3, fitness[0]), abs=1e-5)


def test_a_format_that_the_base_model_does_not_write_stays_away():
    base, accuracies = np.array([[0.5, 0.5, 0.0]]), np.array([[0.5, 0.4, 1.0]])
    for field in (Field("natural"), Field("softmax", "reverse", 0.1), Field("natural", "forward", 0.1)):
        found = dynamics.trajectory(field, base, accuracies, np.array([0, 10.0]))[-1]
        assert found[0, 2] == 0
        assert found.sum() == pytest.approx(1)


def test_the_time_constant_of_a_made_run_is_found_again():
    times = np.concatenate([[0], np.geomspace(1e-2, 1e3, 300)])
    curve = dynamics.trajectory(Field("softmax"), *PAPER, times)[:, 0]
    clock = np.arange(60.0)
    made = dynamics.at(curve, times, 3.7 * clock)
    assert dynamics.fit_time(curve, times, clock, made) == pytest.approx(3.7, rel=0.05)


# --- drift -----------------------------------------------------------------------------------------------------------


def binomial(n: int, p: float) -> np.ndarray:
    from scipy.stats import binom

    return binom.pmf(np.arange(n + 1), n, p)


@pytest.mark.parametrize("fitness", [(1.0, 1.0), (1.2, 1.0)])
def test_fixation_is_that_of_the_exact_markov_chain(fitness):
    """Ten individuals, two types: 0 to 10 of the first are the states, 0 and 10 absorb."""
    n, weights, runs = 10, np.array(fitness), 4000
    chain = np.array([binomial(n, k * weights[0] / (k * weights[0] + (n - k) * weights[1])) for k in range(n + 1)])
    inner = np.arange(1, n)
    fixed = np.linalg.solve(np.eye(n - 1) - chain[np.ix_(inner, inner)], chain[inner, n])
    rng = np.random.default_rng(0)

    def expected(shares: np.ndarray) -> np.ndarray:
        return shares * weights / (shares @ weights)[:, None]

    for k in (2, 5):
        start = np.tile([k / n, 1 - k / n], (runs, 1))
        end = dynamics.wright_fisher(start, expected, n, 300, rng)[:, 0]
        assert set(np.unique(end)) == {0.0, 1.0}
        exact = fixed[k - 1]
        assert abs(end.mean() - exact) < 4 * np.sqrt(exact * (1 - exact) / runs)
    if fitness[0] == fitness[1]:
        assert fixed == pytest.approx(inner / n)  # without selection: the share itself


def test_neutral_spread_is_that_of_wright_fisher():
    rng = np.random.default_rng(1)
    end = dynamics.wright_fisher(np.tile([0.3, 0.7], (20000, 1)), lambda s: s, 40, 12, rng)[:, 0]
    assert end.var() == pytest.approx(dynamics.neutral_spread(0.3, np.full(12, 40.0)), rel=0.05)


def test_a_batch_moves_shares_by_the_mean_field_with_the_variance_of_the_effective_population():
    rng = np.random.default_rng(2)
    base, p, n, step, runs = np.array([0.3, 0.7]), np.array([0.6, 0.6]), 50, 0.8, 40000
    moved = dynamics.simulate(Field("natural"), base, p, np.array([step]), n, runs, rng)[1, :, 0] - 0.3
    square = 0.6 * 0.4 * (1 - 1 / n)
    population = dynamics.effective_population(n, step, square)
    assert moved.mean() == pytest.approx(0, abs=4 * moved.std() / np.sqrt(runs))
    assert moved.var() == pytest.approx(0.3 * 0.7 / population, rel=0.04)
    better = dynamics.simulate(Field("natural"), base, np.array([0.9, 0.6]), np.array([step]), n, runs, rng)[1, :, 0]
    drift = step * 0.3 * (0.9 - (0.3 * 0.9 + 0.7 * 0.6)) * (1 - 1 / n)  # the batch's mean holds the answer's own reward
    assert better.mean() - 0.3 == pytest.approx(drift, rel=0.05)


def test_large_batches_follow_the_mean_field_and_small_ones_lose_formats():
    rng = np.random.default_rng(3)
    base, p, steps = np.array([0.3, 0.5, 0.2]), np.array([0.8, 0.6, 0.5]), np.full(200, 0.05)
    for kind in dynamics.KINDS:
        end = dynamics.simulate(Field(kind), base, p, steps, 20000, 4, rng)[-1]
        exact = dynamics.trajectory(Field(kind), base[None], p[None], np.array([0, 10.0]))[-1]
        assert end == pytest.approx(np.tile(exact, (4, 1)), abs=0.01)
    small = dynamics.simulate(Field("natural"), base, np.full(3, 0.5), np.full(300, 1.0), 8, 200, rng)[-1]
    assert (small == 0).any(1).mean() > 0.9  # equal formats, and yet most runs lose one
    assert small.sum(1) == pytest.approx(1)
