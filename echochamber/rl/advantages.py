"""Rewards to advantages: pure functions of tensors.

`rewards`, `values`, `mask`: (batch, tokens), one row a completion, right-padded; `mask` is True on its tokens, the end
token included. Results are 0 where the mask is False. `scores`: (groups, samples), the reward of each whole completion.
"""

from __future__ import annotations

import torch
from torch import Tensor


def gae(rewards: Tensor, values: Tensor, mask: Tensor, *, gamma: float, lam: float) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimation (Schulman et al. 2016, equations 11 and 16).

    delta_t = r_t + gamma V_{t+1} - V_t and A_t = delta_t + gamma lambda A_{t+1}; V is 0 after the last token, cut off
    or not.

    Returns:
        advantages, and the returns A + V that the critic is fitted to; both (batch, tokens).
    """
    values = torch.where(mask, values, 0.0)
    rewards = torch.where(mask, rewards, 0.0)
    advantages = torch.zeros_like(values)
    following_value = following_advantage = torch.zeros_like(values[:, 0])
    for t in range(values.shape[1] - 1, -1, -1):
        delta = rewards[:, t] + gamma * following_value - values[:, t]
        following_advantage = delta + gamma * lam * following_advantage
        following_value = values[:, t]
        advantages[:, t] = following_advantage
    return torch.where(mask, advantages, 0.0), torch.where(mask, advantages + values, 0.0)


def rewards_to_go(rewards: Tensor, mask: Tensor) -> Tensor:
    """Sum of a completion's rewards from each token on, (batch, tokens)."""
    rewards = torch.where(mask, rewards, 0.0)
    return torch.where(mask, rewards.flip(1).cumsum(1).flip(1), 0.0)


def terminal_rewards(scores: Tensor, kl_rewards: Tensor, mask: Tensor, level: str) -> Tensor:
    """PPO's rewards, (batch, tokens): the score (batch,) on the last token, the KL on each (or with the score)."""
    last = torch.arange(mask.shape[1], device=mask.device) == mask.sum(1, keepdim=True) - 1
    if level == "sequence":
        scores = scores + torch.where(mask, kl_rewards, 0.0).sum(1)
        kl_rewards = torch.zeros_like(kl_rewards)
    return torch.where(last, scores[:, None], 0.0) + torch.where(mask, kl_rewards, 0.0)


def group_mean(scores: Tensor) -> Tensor:
    """The baseline of GRPO, dr_grpo and reinforce_baseline: the mean of the group, a completion's own score included.

    That includes 1/G of the score itself, so the expected gradient is (1 - 1/G) times that of the reward. (groups, 1)
    """
    return scores.mean(1, keepdim=True)


def group_std(scores: Tensor) -> Tensor:
    """GRPO's scale (Shao et al. 2024, section 4.1.2), unbiased as in the code of the field. (groups, 1)"""
    return scores.std(1, keepdim=True, correction=1)


def leave_one_out_mean(scores: Tensor) -> Tensor:
    """RLOO's baseline (Ahmadian et al. 2024, equation 7): the mean of the other samples. (groups, samples)"""
    samples = scores.shape[1]
    return (scores.sum(1, keepdim=True) - scores) / (samples - 1)


def group_advantages(scores: Tensor, kind: str, *, epsilon: float) -> Tensor:
    """One advantage a completion from the scores of its group, (groups, samples).

    Args:
        kind: `grpo` (minus mean, over std + epsilon), `dr_grpo` and `reinforce_baseline` (minus mean; Liu et al. 2025),
            `rloo` (minus the mean of the others).
    """
    baseline, scale = baseline_and_scale(scores, kind, epsilon=epsilon)
    return (scores - baseline) / scale


def baseline_and_scale(scores: Tensor, kind: str, *, epsilon: float) -> tuple[Tensor, Tensor | float]:
    """What `kind` subtracts from a score and divides it by; broadcast over (groups, samples)."""
    match kind:
        case "grpo":
            return group_mean(scores), group_std(scores) + epsilon
        case "dr_grpo" | "reinforce_baseline":
            return group_mean(scores), 1.0
        case "rloo":
            return leave_one_out_mean(scores), 1.0
    raise ValueError(f"kind: found {kind!r}, allowed: grpo, dr_grpo, reinforce_baseline, rloo")


def whiten(values: Tensor, mask: Tensor, *, epsilon: float = 1e-8) -> Tensor:
    """Mean 0 and (biased) variance 1 over all tokens of the batch, (batch, tokens)."""
    inside = values[mask]
    scaled = (values - inside.mean()) / (inside.var(correction=0) + epsilon).sqrt()
    return torch.where(mask, scaled, 0.0)


def token_advantages(
    kind: str, scores: Tensor, kl_rewards: Tensor, mask: Tensor, *, level: str = "token", epsilon: float
) -> Tensor:
    """Advantages of the algorithms without a critic, (groups * samples, tokens).

    The return of token t is the completion's score plus the KL rewards from t on (`level` token: what came before t
    cannot depend on it, so leaving it out changes no expectation) or of the whole completion (`level` sequence, and
    always for GRPO: it divides by the std of whole returns, near which a part of them would not be small). From it goes
    the baseline of the group's whole returns. `reinforce_baseline` takes the baseline of the scores alone, then
    normalises over the batch (as OpenRLHF does).

    Args:
        scores: (groups, samples), the reward of each completion.
        kl_rewards: (groups * samples, tokens), -coefficient * k1 of each token, or zeros.
    """
    groups, samples = scores.shape
    to_go = rewards_to_go(kl_rewards, mask)
    whole = to_go[:, :1]
    penalty = to_go if level == "token" and kind != "grpo" else whole
    returns = scores if kind == "reinforce_baseline" else scores + whole.view(groups, samples)
    baseline, scale = baseline_and_scale(returns, kind, epsilon=epsilon)
    base = (scores - baseline).reshape(-1, 1) + penalty
    scale = scale.repeat_interleave(samples, 0) if isinstance(scale, Tensor) else scale
    advantages = torch.where(mask, base / scale, 0.0)
    return whiten(advantages, mask) if kind == "reinforce_baseline" else advantages
