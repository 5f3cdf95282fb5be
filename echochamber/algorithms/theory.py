"""What theory supposes of an algorithm's advantages, where a reward is 0 or 1 (`docs/theory.md`). Pure: numpy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Gap = Callable[[np.ndarray], np.ndarray]
"""Mean reward -> E[A | right] - E[A | wrong]: what the gradient of the reward is multiplied by."""


@dataclass(frozen=True)
class Theory:
    """What the laws of rest and the mean fields need to know of an algorithm."""

    gap: Gap | None = None
    """None: advantages are whitened over the batch, so no gap is known beforehand."""
    square: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda reward, informative: np.ones(len(reward))
    """(mean reward, share of informative groups) of each batch -> E[A^2] of a completion; whitened: 1."""
    right_only: bool = False
    """Whether it comes to rest at the base model restricted to right answers, and has no penalty."""
    deviations: tuple[str, ...] = ()
    """What it does that the laws do not suppose, beside what settings of all kinds do."""


def centred(group: int) -> Theory:
    """Scores less the mean of their group, own score included."""
    return Theory(
        gap=lambda mean: np.full(np.shape(mean), 1 - 1 / group),
        square=lambda reward, informative: reward * (1 - reward) * (1 - 1 / group),
    )


def normalised(group: int) -> Theory:
    """Scores less the mean of their group, over its unbiased standard deviation."""
    return Theory(
        gap=lambda mean: normalised_gap(mean, group),
        square=lambda reward, informative: (1 - 1 / group) * informative,
    )


def normalised_gap(mean: np.ndarray, group: int) -> np.ndarray:
    """The gap of scores normalised by group, exactly: over the binomial number of right answers among the others.

    A group that agrees has advantages 0. At a group of 8 it is 1.75 at a mean of .43, where dividing by the
    population's standard deviation would give 2.02.
    """
    from scipy.stats import binom  # a second to import: not for reading a grid file

    mean = np.asarray(mean, dtype=float)
    others = np.arange(group)  # right ones among the other completions
    chance = binom.pmf(others, group - 1, mean[..., None])

    def advantage(own: int) -> np.ndarray:
        right = others + own
        deviation = np.sqrt(right * (group - right) / (group * (group - 1)))
        return np.divide(own - right / group, deviation, out=np.zeros(group), where=deviation > 0)

    gap: np.ndarray = (chance * (advantage(1) - advantage(0))).sum(-1)
    return gap
