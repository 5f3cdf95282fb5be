"""The one learning-rate schedule of pretraining, RL and fine-tuning."""

from __future__ import annotations

import math


def warmup_cosine(step: int, total: int, *, warmup: int, final: float) -> float:
    """Factor on the peak learning rate for update `step` (0, 1, ...) of `total`.

    Linear over `warmup` updates, the first of which already moves (1 / warmup), then a half cosine that reaches
    `final` at the last update.
    """
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(total - 1 - warmup, 1)
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
