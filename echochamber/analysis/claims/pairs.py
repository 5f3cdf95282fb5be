"""Conditions that differ in their algorithm alone, and what is compared between two algorithms."""

from __future__ import annotations

import numpy as np

from echochamber.algorithms import Algorithm
from echochamber.analysis import replicates
from echochamber.analysis.claims.claim import settled
from echochamber.analysis.studies import Condition, StudyView
from echochamber.stats import metrics


def pairs(view: StudyView, kind: type[Algorithm], other: type[Algorithm]) -> list[tuple[Condition, Condition]]:
    """Conditions of two kinds of algorithm, alike but for it; where both have a KL coefficient, those of equal ones."""
    rows = []
    for a in settled(view):
        for b in settled(view):
            kinds = isinstance(view.algorithm(a), kind) and isinstance(view.algorithm(b), other)
            if kinds and (a.mixture, a.scale, a.prompts) == (b.mixture, b.scale, b.prompts):
                coefficient_a, coefficient_b = (
                    getattr(getattr(view.algorithm(c), "kl", None), "coefficient", None) for c in (a, b)
                )
                if coefficient_a is None or coefficient_b is None or coefficient_a == coefficient_b:
                    rows.append((a, b))
    return rows


def drawdown(view: StudyView, condition: Condition, window: float) -> np.ndarray:
    """Largest fall of the mean reward during training, by replicate.

    window: of a pass, over which the reward is averaged first. The largest fall of a noisy curve that never falls is
    mostly noise, and less of it the steeper the curve.
    """
    batches = max(1, round(window * view.steps_per_pass(condition)))
    rows = view.of(condition, view.training).sort_values("step")
    falls = rows.groupby(["id", "model_seed", "run_seed"], dropna=False)["reward_mean"].agg(
        lambda rewards: metrics.maximal_drawdown(metrics.running_mean(rewards.to_numpy(dtype=float), batches))
    )
    return replicates.by_replicate(falls.reset_index(), "reward_mean").to_numpy(dtype=float)
