"""The optimiser of policy, critic and fine-tuning."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from echochamber.settings.algorithms import PostTraining


def adamw(weights: Iterable[nn.Parameter], settings: PostTraining, learning_rate: float) -> torch.optim.AdamW:
    """AdamW, all weights in one kernel. The learning rate is set before every update."""
    s = settings
    return torch.optim.AdamW(
        weights, lr=learning_rate, betas=s.betas, eps=s.epsilon, weight_decay=s.weight_decay, fused=True
    )
