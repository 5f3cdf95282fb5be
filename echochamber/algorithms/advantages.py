"""Rewards to advantages: what algorithms share, as pure functions of tensors.

`rewards`, `values`, `mask`: (batch, tokens), one row a completion, right-padded; `mask` is True on its tokens, the end
token included. Results are 0 where the mask is False. `scores`: (groups, samples), the reward of each whole completion.

Written with the methods of tensors alone: whoever reads a grid file imports its algorithms, and no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor


def gae(rewards: Tensor, values: Tensor, mask: Tensor, *, gamma: float, lam: float) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimation (Schulman et al. 2016, equations 11 and 16).

    delta_t = r_t + gamma V_{t+1} - V_t and A_t = delta_t + gamma lambda A_{t+1}; V is 0 after the last token, cut off
    or not.

    Returns:
        advantages, and the returns A + V that the critic is fitted to; both (batch, tokens).
    """
    values = values.where(mask, 0.0)
    rewards = rewards.where(mask, 0.0)
    advantages = values.new_zeros(values.shape)
    following_value = following_advantage = values.new_zeros(len(values))
    for t in range(values.shape[1] - 1, -1, -1):
        delta = rewards[:, t] + gamma * following_value - values[:, t]
        following_advantage = delta + gamma * lam * following_advantage
        following_value = values[:, t]
        advantages[:, t] = following_advantage
    return advantages.where(mask, 0.0), (advantages + values).where(mask, 0.0)


def rewards_to_go(rewards: Tensor, mask: Tensor) -> Tensor:
    """Sum of a completion's rewards from each token on, (batch, tokens)."""
    rewards = rewards.where(mask, 0.0)
    return rewards.flip(1).cumsum(1).flip(1).where(mask, 0.0)


def last_token(mask: Tensor) -> Tensor:
    """Where each completion ends, (batch, tokens), bool."""
    return mask & (mask.cumsum(1) == mask.sum(1, keepdim=True))


def terminal_rewards(scores: Tensor, kl_rewards: Tensor, mask: Tensor, level: Literal["token", "sequence"]) -> Tensor:
    """PPO's rewards, (batch, tokens): the score (batch,) on the last token, the KL on each (or with the score)."""
    if level == "sequence":
        scores = scores + kl_rewards.where(mask, 0.0).sum(1)
        kl_rewards = kl_rewards.new_zeros(kl_rewards.shape)
    return scores[:, None].where(last_token(mask), 0.0) + kl_rewards.where(mask, 0.0)


def group_mean(scores: Tensor) -> Tensor:
    """The mean of the group, a completion's own score included.

    That includes 1/G of the score itself, so the expected gradient is (1 - 1/G) times that of the reward. (groups, 1)
    """
    return scores.mean(1, keepdim=True)


def group_std(scores: Tensor) -> Tensor:
    """GRPO's scale (Shao et al. 2024, section 4.1.2), unbiased as in the code of the field. (groups, 1)"""
    return scores.std(1, keepdim=True, correction=1)


def leave_one_out_mean(scores: Tensor) -> Tensor:
    """The mean of the other samples (Ahmadian et al. 2024, equation 7). (groups, samples)"""
    samples = scores.shape[1]
    return (scores.sum(1, keepdim=True) - scores) / (samples - 1)


def whole_returns(scores: Tensor, kl_rewards: Tensor, mask: Tensor) -> Tensor:
    """The reward of each completion with the KL rewards of all its tokens, (groups, samples)."""
    return scores + rewards_to_go(kl_rewards, mask)[:, 0].view_as(scores)


def on_tokens(
    centred: Tensor, kl_rewards: Tensor, mask: Tensor, level: Literal["token", "sequence"], scale: Tensor | None = None
) -> Tensor:
    """Advantages of tokens from what is left of each completion's score, (groups * samples, tokens).

    To it come the KL rewards from the token on (`level` token: what came before cannot depend on the token, so leaving
    it out changes no expectation) or of the whole completion (`sequence`).

    Args:
        centred: scores less a baseline, (groups, samples).
        scale: what all of it is divided by, (groups, 1).
    """
    to_go = rewards_to_go(kl_rewards, mask)
    advantages = centred.reshape(-1, 1) + (to_go if level == "token" else to_go[:, :1])
    if scale is not None:
        advantages = advantages / scale.repeat_interleave(centred.shape[1], 0)
    return advantages.expand(mask.shape).where(mask, 0.0)


def normalised_by_group(scores: Tensor, kl_rewards: Tensor, mask: Tensor, *, epsilon: float) -> Tensor:
    """GRPO's advantages: the return of the whole completion minus the group's mean, over its std + `epsilon`.

    KL rewards are those of the whole completion too: the std is that of whole returns, near which a part of them would
    not be small. (groups * samples, tokens)
    """
    returns = whole_returns(scores, kl_rewards, mask)
    return on_tokens(scores - group_mean(returns), kl_rewards, mask, "sequence", group_std(returns) + epsilon)


def whiten(values: Tensor, mask: Tensor, *, epsilon: float = 1e-8) -> Tensor:
    """Mean 0 and (biased) variance 1 over all tokens of the batch, (batch, tokens)."""
    inside = values[mask]
    scaled = (values - inside.mean()) / (inside.var(correction=0) + epsilon).sqrt()
    return scaled.where(mask, 0.0)
