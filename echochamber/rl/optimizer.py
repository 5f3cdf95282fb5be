"""The optimiser of policy, critic and fine-tuning."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from echochamber.algorithms import PostTraining


def adamw(weights: Iterable[nn.Parameter], settings: PostTraining, learning_rate: float) -> torch.optim.AdamW:
    """AdamW of what is not frozen, all in one kernel. The learning rate is set before every update."""
    s = settings
    trained = [weight for weight in weights if weight.requires_grad]
    return torch.optim.AdamW(
        trained, lr=learning_rate, betas=s.betas, eps=s.epsilon, weight_decay=s.weight_decay, fused=True
    )


def clipped_step(optimizer: torch.optim.Optimizer, clip: float) -> float:
    """Clip the gradient's norm, step, forget; gives the norm before clipping."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    for weight in weights:  # an update whose completions are all silent has a gradient, and it is zero
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
    norm = torch.nn.utils.clip_grad_norm_(weights, clip)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return float(norm)
