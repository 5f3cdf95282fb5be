"""Advantages against numbers worked out by hand."""

import math

import pytest
import torch

from echochamber.algorithms import advantages as adv
from echochamber.algorithms import algorithm

T, F = True, False


def test_gae_by_hand():
    # delta = -.1, -.2, .8; A_2 = .8, A_1 = -.2 + .95 * .8 = .56, A_0 = -.1 + .95 * .56 = .432
    rewards = torch.tensor([[0.0, 0.0, 1.0]])
    values = torch.tensor([[0.5, 0.4, 0.2]])
    advantages, returns = adv.gae(rewards, values, torch.ones(1, 3, dtype=bool), gamma=1.0, lam=0.95)
    assert torch.allclose(advantages, torch.tensor([[0.432, 0.56, 0.8]]))
    assert torch.allclose(returns, torch.tensor([[0.932, 0.96, 1.0]]))


def test_gae_discounts():
    # gamma .9, lambda .5: delta = -.14, -.22, .8; A_1 = -.22 + .45 * .8 = .14, A_0 = -.14 + .45 * .14 = -.077
    rewards = torch.tensor([[0.0, 0.0, 1.0]])
    values = torch.tensor([[0.5, 0.4, 0.2]])
    advantages, _ = adv.gae(rewards, values, torch.ones(1, 3, dtype=bool), gamma=0.9, lam=0.5)
    assert torch.allclose(advantages, torch.tensor([[-0.077, 0.14, 0.8]]))


def test_gae_with_lambda_one_is_reward_to_go_minus_value():
    generator = torch.Generator().manual_seed(0)
    rewards, values = torch.randn(2, 4, 6, generator=generator, dtype=torch.float64)
    mask = torch.arange(6) < torch.tensor([6, 1, 3, 5])[:, None]
    advantages, returns = adv.gae(rewards, values, mask, gamma=1.0, lam=1.0)
    assert torch.allclose(returns, adv.rewards_to_go(rewards, mask))
    assert torch.allclose(advantages, torch.where(mask, returns - values, 0.0))


def test_gae_ends_at_the_last_token_whatever_stands_in_the_padding():
    mask = torch.tensor([[T, T, F, F]])
    rewards = torch.tensor([[0.0, 1.0, float("nan"), 7.0]])
    values = torch.tensor([[0.5, 0.25, 100.0, float("nan")]])
    advantages, returns = adv.gae(rewards, values, mask, gamma=1.0, lam=0.5)
    assert torch.allclose(advantages, torch.tensor([[-0.25 + 0.5 * 0.75, 0.75, 0.0, 0.0]]))
    assert torch.allclose(returns, torch.tensor([[0.625, 1.0, 0.0, 0.0]]))


def test_rewards_to_go():
    mask = torch.tensor([[T, T, T], [T, T, F]])
    found = adv.rewards_to_go(torch.tensor([[1.0, 2.0, 4.0], [1.0, 2.0, 4.0]]), mask)
    assert found.tolist() == [[7.0, 6.0, 4.0], [3.0, 2.0, 0.0]]


@pytest.mark.parametrize(
    ("level", "expected"), [("token", [[-0.1, -0.2, 0.7], [-0.1, 0.8, 0.0]]), ("sequence", [[0, 0, 0.4], [0, 0.7, 0]])]
)
def test_the_score_is_earned_at_the_last_token(level, expected):
    mask = torch.tensor([[T, T, T], [T, T, F]])
    kl = torch.tensor([[-0.1, -0.2, -0.3], [-0.1, -0.2, -9.0]])
    found = adv.terminal_rewards(torch.tensor([1.0, 1.0]), kl, mask, level)
    assert torch.allclose(found, torch.tensor(expected))


def advantages(kind, scores, kl_rewards=None, mask=None, *, level="token", **settings):
    """Of the tokens of (groups, samples) scores; without a mask, of one token each, in the shape of the scores."""
    whole = torch.ones(scores.numel(), 1, dtype=bool)
    given = algorithm(kind=kind, kl={"level": level}, **settings)
    tokens = given.advantages(
        scores, torch.zeros(whole.shape) if kl_rewards is None else kl_rewards, whole if mask is None else mask
    )
    return tokens.view_as(scores) if mask is None else tokens


def test_group_advantages_by_hand():
    scores = torch.tensor([[1.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0, 0.0]])
    # unbiased std: sqrt(4 * .25 / 3) = .5774 and sqrt((3 * .0625 + .5625) / 3) = .5
    grpo = advantages("grpo", scores, advantage_epsilon=1e-12)
    assert torch.allclose(grpo, torch.tensor([[0.8660254, -0.8660254, -0.8660254, 0.8660254], [0.5, 0.5, 0.5, -1.5]]))
    centred = torch.tensor([[0.5, -0.5, -0.5, 0.5], [0.25, 0.25, 0.25, -0.75]])
    assert torch.allclose(advantages("dr_grpo", scores), centred)
    assert torch.allclose(advantages("reinforce_baseline", scores), centred / centred.square().mean().sqrt())
    rloo = advantages("rloo", scores)
    assert torch.allclose(rloo, torch.tensor([[2 / 3, -2 / 3, -2 / 3, 2 / 3], [1 / 3, 1 / 3, 1 / 3, -1.0]]))
    assert torch.allclose(rloo, centred * 4 / 3)  # G / (G - 1)


def test_epsilon_is_added_to_the_std():
    scores = torch.tensor([[1.0, 0.0]])  # std .7071
    assert torch.allclose(
        advantages("grpo", scores, advantage_epsilon=0.1), torch.tensor([[1.0, -1.0]]) * 0.5 / 0.807107
    )


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("kind", ["grpo", "dr_grpo", "rloo"])
def test_equal_rewards_give_exactly_nothing(kind, value):
    scores = torch.full((3, 8), value)
    kl = torch.zeros(24, 5)
    found = advantages(kind, scores, kl, torch.ones(24, 5, dtype=bool))
    assert not found.any()


def test_whiten_counts_tokens_and_leaves_the_padding():
    mask = torch.tensor([[T, T], [T, F]])
    found = adv.whiten(torch.tensor([[1.0, 2.0], [3.0, 50.0]]), mask, epsilon=0.0)
    assert torch.allclose(found, torch.tensor([[-1.2247449, 0.0], [1.2247449, 0.0]]))  # variance 2/3


def test_kl_rewards_of_dr_grpo_by_hand():
    scores = torch.tensor([[1.0, 0.0]])
    kl = torch.tensor([[-0.1, -0.2, 0.0], [-0.3, 0.1, 0.2]])
    mask = torch.tensor([[T, T, F], [T, T, T]])
    # whole returns .7 and 0, baseline .35
    token = advantages("dr_grpo", scores, kl, mask)
    assert torch.allclose(token, torch.tensor([[0.35, 0.45, 0.0], [-0.35, -0.05, -0.15]]), atol=1e-6)
    sequence = advantages("dr_grpo", scores, kl, mask, level="sequence")
    assert torch.allclose(sequence, torch.tensor([[0.35, 0.35, 0.0], [-0.35, -0.35, -0.35]]), atol=1e-6)


def test_reinforce_baseline_normalises_over_the_batch_after_the_kl():
    scores = torch.tensor([[1.0, 0.0]])
    kl = torch.tensor([[-0.1, -0.2], [-0.3, 0.1]])
    found = advantages("reinforce_baseline", scores, kl, torch.ones(2, 2, dtype=bool))
    raw = [0.5 - 0.3, 0.5 - 0.2, -0.5 - 0.2, -0.5 + 0.1]
    mean = sum(raw) / 4
    std = math.sqrt(sum((x - mean) ** 2 for x in raw) / 4)
    assert torch.allclose(found.flatten(), torch.tensor([(x - mean) / std for x in raw]), atol=1e-5)
