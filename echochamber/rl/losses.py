"""Losses of policy and critic: pure functions of tensors, one value a token.

Shapes: (batch, tokens), one row a completion, right-padded; `mask` is True on its tokens, the end token included.
A loss becomes a scalar by `weighted_sum` with the weights of `sequence_weights`, which are those of the whole update
batch: micro-batches add up to the same number, and completions that add nothing can be left out.
"""

from __future__ import annotations

import torch
from torch import Tensor


def log_ratio_estimate(log_ratio: Tensor, estimator: str) -> Tensor:
    """k1, k2 or k3 of `log_ratio` = log policy - log reference, elementwise (Schulman 2020, "Approximating KL").

    For samples of the policy, k1 = log_ratio and k3 = exp(-log_ratio) - 1 + log_ratio have expectation KL(policy ||
    reference); k2 = log_ratio^2 / 2 is biased but has its gradient. As a loss, k3's gradient is that of the reverse KL.
    """
    match estimator:
        case "k1":
            return log_ratio
        case "k2":
            return log_ratio.square() / 2
        case "k3":
            return torch.expm1(-log_ratio) + log_ratio
    raise ValueError(f"estimator: found {estimator!r}, allowed: k1, k2, k3")


def kl_loss(logprobs: Tensor, reference: Tensor, mask: Tensor, *, estimator: str, level: str) -> Tensor:
    """The KL penalty of each token (`level` token), or of the whole completion, put on its last token (`sequence`).

    At the sequence level the log-ratio is that of the completion's probabilities, so that the penalty added to the sum
    of a completion's token losses is the estimator of the whole distribution's KL.
    """
    log_ratio = torch.where(mask, logprobs - reference, 0.0)
    if level == "token":
        return log_ratio_estimate(log_ratio, estimator)
    if level != "sequence":
        raise ValueError(f"level: found {level!r}, allowed: token, sequence")
    last = torch.arange(mask.shape[1], device=mask.device) == mask.sum(1, keepdim=True) - 1
    return torch.where(last, log_ratio_estimate(log_ratio.sum(1, keepdim=True), estimator), 0.0)


def policy_loss(log_ratio: Tensor, advantages: Tensor, *, clip: float) -> Tensor:
    """PPO's clipped surrogate (Schulman et al. 2017, equation 7) with its sign turned, per token.

    Args:
        log_ratio: log-probability now minus that when the completion was sampled.
    """
    ratio = log_ratio.exp()
    return -torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, *, clip: float) -> Tensor:
    """Squared error of the critic: the larger of that of `values` and of those kept within `clip` of the old ones."""
    near = old_values + (values - old_values).clamp(-clip, clip)
    return torch.maximum((values - returns).square(), (near - returns).square())


def sequence_weights(lengths: Tensor, reduction: str, *, max_tokens: int) -> Tensor:
    """The weight of each completion's summed token losses in the loss of an update batch, (batch,).

    Args:
        lengths: (batch,), tokens of every completion of the update batch.
        reduction: `token`, the mean over all tokens (DAPO, and the paper's code); `sequence`, the mean over completions
            of each one's mean over tokens (GRPO, Shao et al. 2024); `constant`, the sum over batch size and
            `max_tokens` (Dr. GRPO, Liu et al. 2025).
    """
    lengths = lengths.to(torch.float32)
    match reduction:
        case "token":
            return torch.ones_like(lengths) / lengths.sum()
        case "sequence":
            return 1 / (lengths * len(lengths))
        case "constant":
            return torch.ones_like(lengths) / (len(lengths) * max_tokens)
    raise ValueError(f"reduction: found {reduction!r}, allowed: token, sequence, constant")


def weighted_sum(per_token: Tensor, mask: Tensor, weights: Tensor) -> Tensor:
    """Sum of (batch, tokens) losses inside the mask, each row times its weight: a scalar."""
    return (torch.where(mask, per_token, 0.0).sum(1) * weights).sum()
