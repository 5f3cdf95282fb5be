"""Losses of policy and critic: pure functions of tensors, one value a token.

Shapes: (batch, tokens), one row a completion, right-padded; `mask` is True on its tokens, the end token included.
A loss becomes a scalar by `weighted_sum` with the weights of `sequence_weights`, which are those of the whole update
batch: micro-batches add up to the same number, and completions that add nothing can be left out.

Written with the methods of tensors alone: whoever reads a grid file imports its algorithms, and no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from echochamber.algorithms.advantages import last_token

if TYPE_CHECKING:
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
            return (-log_ratio).expm1() + log_ratio
    raise ValueError(f"estimator: found {estimator!r}, allowed: k1, k2, k3")


def kl_loss(logprobs: Tensor, reference: Tensor, mask: Tensor, *, estimator: str, level: str) -> Tensor:
    """The KL penalty of each token (`level` token), or of the whole completion, put on its last token (`sequence`).

    At the sequence level the log-ratio is that of the completion's probabilities, so that the penalty added to the sum
    of a completion's token losses is the estimator of the whole distribution's KL.
    """
    log_ratio = (logprobs - reference).where(mask, 0.0)
    if level == "token":
        return log_ratio_estimate(log_ratio, estimator)
    if level != "sequence":
        raise ValueError(f"level: found {level!r}, allowed: token, sequence")
    return log_ratio_estimate(log_ratio.sum(1, keepdim=True), estimator).where(last_token(mask), 0.0)


def clipped_policy_loss(ratio: Tensor, advantages: Tensor, *, low: float, high: float) -> Tensor:
    """PPO's clipped surrogate (Schulman et al. 2017, equation 7) with its sign turned, per token.

    Args:
        ratio: probability now over that when the completion was sampled.
        low, high: how far it counts below and above 1.
    """
    return -(ratio * advantages).minimum(ratio.clamp(1 - low, 1 + high) * advantages)


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, *, clip: float) -> Tensor:
    """Squared error of the critic: the larger of that of `values` and of those kept within `clip` of the old ones."""
    near = old_values + (values - old_values).clamp(-clip, clip)
    return (values - returns).square().maximum((near - returns).square())


def sequence_weights(lengths: Tensor, reduction: str, *, max_tokens: int, mean_of: int = 1) -> Tensor:
    """The weight of each completion's summed token losses in the loss of an update batch, (batch,).

    Args:
        lengths: (batch,), tokens of every completion of the update batch that it is learned from; 0: none.
        reduction: `token`, the mean over all tokens (DAPO); `micro_batch_mean`, the mean over every `mean_of`
            completions in a row of the mean over their tokens (the paper's code, by gradients of packed micro-batches);
            `sequence`, the mean over completions of each one's mean over tokens (GRPO, Shao et al. 2024); `constant`,
            the sum over batch size and `max_tokens` (Dr. GRPO, Liu et al. 2025).
    """
    lengths = lengths.float()
    match reduction:
        case "token":
            return lengths.new_ones(lengths.shape) / lengths.sum().clamp(min=1)
        case "micro_batch_mean":
            means = lengths.split(mean_of)  # the last one may be of fewer
            return lengths.new_tensor([1 / (max(1.0, float(m.sum())) * len(means)) for m in means for _ in m])
        case "sequence":
            return 1 / (lengths.clamp(min=1) * len(lengths))
        case "constant":
            return lengths.new_ones(lengths.shape) / (len(lengths) * max_tokens)
    raise ValueError(f"reduction: found {reduction!r}, allowed: token, micro_batch_mean, sequence, constant")


def weighted_sum(per_token: Tensor, mask: Tensor, weights: Tensor) -> Tensor:
    """Sum of (batch, tokens) losses inside the mask, each row times its weight: a scalar."""
    return (per_token.where(mask, 0.0).sum(1) * weights).sum()
