"""GSPO against its equations 5 to 7, completion by completion in float64."""

import numpy as np
import pytest
import torch
from surrogates import LENGTHS, MASK, SCORES, advantages, differences, logprobs, loss_and_gradient

from echochamber.algorithms import algorithm

LOW, HIGH = 0.05, 0.1
GSPO = algorithm(kind="gspo", samples_per_prompt=4, clip=LOW, clip_high=HIGH)


def reference(new, old):
    """Minus the mean over completions of min(s A, clip(s) A), s = (p / p_old)^(1 / length)."""
    terms = []
    for i, length in enumerate(LENGTHS.tolist()):
        group, own = SCORES[i // 4].numpy(), float(SCORES[i // 4, i % 4])
        value = (own - group.mean()) / (group.std(ddof=1) + 1e-9)
        s = np.prod(np.exp((new - old)[i, :length].numpy())) ** (1 / length)
        terms.append(min(s * value, float(np.clip(s, 1 - LOW, 1 + HIGH)) * value))
    return -np.mean(terms)


def test_loss_and_gradient_are_those_of_the_equations():
    new, old = logprobs(0.3)
    loss, gradient = loss_and_gradient(GSPO, new, old)
    assert loss == pytest.approx(reference(new, old), rel=1e-6)
    assert torch.allclose(gradient, differences(lambda x: reference(x, old), new), atol=1e-6)
    silent = (gradient == 0).all(1)
    assert silent[8:].all()  # a group that agrees
    assert silent[:8].any()  # clipped
    assert not silent.all()


def test_a_completion_is_clipped_as_a_whole_on_each_side_by_its_own_limit():
    new, old = logprobs(0.3)
    s = torch.where(MASK, new - old, 0.0).sum(1).div(LENGTHS).exp()
    expected = ((s < 1 - LOW) | (s > 1 + HIGH))[:, None] & MASK
    assert torch.equal(GSPO.clipped(torch.where(MASK, new - old, 0.0), MASK), expected)
    assert 0 < expected.sum() < MASK.sum()


def test_defaults_are_the_papers():
    assert (algorithm(kind="gspo").clip_range, algorithm(kind="gspo").reduction) == ((3e-4, 4e-4), "sequence")
    assert torch.equal(advantages(GSPO), advantages(algorithm(kind="grpo", samples_per_prompt=4)))
