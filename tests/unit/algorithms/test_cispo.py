"""CISPO against its equation 4 in float64: the weight of a token is a number, and only its log-probability moves."""

import numpy as np
import pytest
import torch
from surrogates import LENGTHS, MASK, SCORES, logprobs, loss_and_gradient

from echochamber.algorithms import algorithm

CISPO = algorithm(kind="cispo", samples_per_prompt=4, clip_high=0.2)


def test_loss_and_gradient_are_those_of_the_equations():
    new, old = logprobs(0.5)
    loss, gradient = loss_and_gradient(CISPO, new, old)
    total, expected, capped = 0.0, np.zeros(new.shape), 0
    for i, length in enumerate(LENGTHS.tolist()):
        group, own = SCORES[i // 4].numpy(), float(SCORES[i // 4, i % 4])
        value = (own - group.mean()) / (group.std(ddof=1) + 1e-9)
        for t in range(length):
            ratio = np.exp(float(new[i, t] - old[i, t]))
            capped += ratio > 1.2
            weight = -min(ratio, 1.2) * value / int(LENGTHS.sum())
            total += weight * float(new[i, t])
            expected[i, t] = weight
    assert loss == pytest.approx(total, rel=1e-6)
    assert torch.allclose(gradient, torch.tensor(expected), atol=1e-8)
    assert capped > 0
    assert int(CISPO.clipped(torch.where(MASK, new - old, 0.0), MASK).sum()) == capped


def test_no_token_falls_out_of_the_gradient():
    """Where PPO's clip silences tokens that moved far, here each of them still has one."""
    new, old = logprobs(2.0)
    _, gradient = loss_and_gradient(CISPO, new, old)
    _, clipped = loss_and_gradient(algorithm(kind="grpo", samples_per_prompt=4), new, old)
    assert (gradient[:8][MASK[:8]] != 0).all()
    assert (clipped[:8][MASK[:8]] == 0).any()
