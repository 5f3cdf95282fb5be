"""Which prompts a step takes, which checkpoints a run keeps, how fast it learns. Imports no torch."""

from __future__ import annotations

import math

import numpy as np

from echochamber.models.learning_rate import warmup_cosine
from echochamber.settings import ExpertIteration, PolicyGradient


def total_steps(settings: PolicyGradient | ExpertIteration, n_prompts: int) -> int:
    """Rollout batches, or iterations of Expert Iteration, of a whole run."""
    if isinstance(settings, ExpertIteration):
        return settings.iterations
    return max(1, math.floor(settings.passes * n_prompts / settings.prompts_per_batch + 1e-9))


def checkpoint_steps(settings: PolicyGradient | ExpertIteration, n_prompts: int) -> list[int]:
    """The steps after which a run keeps its model: log-spaced ones, the end of every pass, and the last.

    Expert Iteration keeps the model of every iteration. Step 0, the base model, is not among them.
    """
    total = total_steps(settings, n_prompts)
    if isinstance(settings, ExpertIteration):
        return list(range(1, total + 1))
    steps = {total}
    steps |= {round(step) for step in np.geomspace(1, total, settings.log_spaced_checkpoints)}
    if settings.checkpoint_every_pass:
        full_passes = math.floor(settings.passes)
        steps |= {math.floor(n * n_prompts / settings.prompts_per_batch + 1e-9) for n in range(1, full_passes + 1)}
    return sorted(steps - {0})


def prompt_numbers(step: int, batch: int, n_prompts: int, seed: int) -> list[int]:
    """The `batch` prompts of `step` (0, 1, ...): a stream of passes, each in its own order, none cut short.

    A function of the step alone, so that a run that resumes needs to know nothing else.
    """
    first = step * batch
    orders: dict[int, np.ndarray] = {}
    numbers = []
    for index in range(first, first + batch):
        done, number = divmod(index, n_prompts)
        if done not in orders:
            orders[done] = np.random.default_rng([seed, done]).permutation(n_prompts)
        numbers.append(int(orders[done][number]))
    return numbers


def learning_rate(peak: float, update: int, total: int, *, warmup: float, final: float) -> float:
    """Of update `update` (0, 1, ...) of `total`: linear warm-up over the share `warmup`, cosine to `final` * `peak`."""
    return peak * warmup_cosine(update, total, warmup=math.ceil(warmup * total), final=final)
