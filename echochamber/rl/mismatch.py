"""How far the sampler's log-probabilities are from the trainer's own, of the same tokens by the same weights.

Both are of one policy, but made by other kernels on other shapes, in bf16 with other roundings; a sampler with a fault
(a stale weight, a wrong position, another temperature) shows here and nowhere else. Nothing that learns uses the
sampler's. Names are those that TRL logs (`sampling_logp_difference`, `importance_sampling_ratio`); verl calls the same
`rollout_probs_diff` and `rollout_corr`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from echochamber.stats.columns import Column, names

if TYPE_CHECKING:  # the report looks at the limits, without torch
    from torch import Tensor

DECLARED = (
    Column("sampling_logp_difference_mean", "number", "distance of trainer and sampler, mean over tokens", "nats"),
    Column("sampling_logp_difference_max", "number", "the largest of them", "nats"),
    Column("importance_sampling_ratio_mean", "number", "probability of a completion, trainer's over sampler's: mean"),
    Column("importance_sampling_ratio_min", "number", "the smallest of them"),
    Column("importance_sampling_ratio_max", "number", "the largest of them"),
)
COLUMNS = names(DECLARED)
"""Of a run's metrics.csv: of the completions whose log-probabilities the trainer makes anyway; empty where there are
none."""

LIMITS = {"fp32": (1e-3, 1e-2), "bf16": (2e-2, 1.0)}
"""Of the first two columns, by precision. Ten times what small models show, and more in bf16 (docs/sampling.md)."""
LARGEST_LOG_RATIO = 20.0
"""A completion's log-ratio is cut here, on both sides, as in the code of the field: its exponential stays a number."""

log = logging.getLogger(__name__)


@dataclass
class Mismatch:
    """Sums over completions, from which a row is made. Plain numbers: part of what a run resumes from."""

    tokens: int = 0
    absolute: float = 0.0
    largest: float = 0.0
    completions: int = 0
    ratios: float = 0.0
    smallest_ratio: float = math.inf
    largest_ratio: float = 0.0

    def add(self, sampler: Sequence[np.ndarray], trainer: Tensor, drawn: Tensor | None = None) -> None:
        """Some completions.

        Args:
            sampler: log-probabilities of each completion's tokens, (tokens,).
            trainer: the same, one row a completion and padded on the right: (completions, longest or more).
            drawn: of the same shape, which of them the sampler drew, and no tool inserted; None: all.
        """
        counted = np.ones(trainer.shape, dtype=bool) if drawn is None else drawn.cpu().numpy()
        for ours, theirs, own in zip(trainer.detach().double().cpu().numpy(), sampler, counted, strict=True):
            difference = (ours[: len(theirs)] - theirs)[own[: len(theirs)]]
            self.tokens += len(difference)
            self.absolute += float(np.abs(difference).sum())
            self.largest = max_or_nan(self.largest, float(np.abs(difference).max()))
            ratio = float(np.exp(np.clip(difference.sum(), -LARGEST_LOG_RATIO, LARGEST_LOG_RATIO)))
            self.completions += 1
            self.ratios += ratio
            self.smallest_ratio = -max_or_nan(-self.smallest_ratio, -ratio)
            self.largest_ratio = max_or_nan(self.largest_ratio, ratio)

    def columns(self) -> dict[str, float | None]:
        """The values of `COLUMNS`."""
        if not self.completions:
            return dict.fromkeys(COLUMNS)
        mean, ratio = self.absolute / self.tokens, self.ratios / self.completions
        return dict(zip(COLUMNS, (mean, self.largest, ratio, self.smallest_ratio, self.largest_ratio), strict=True))


def max_or_nan(one: float, other: float) -> float:
    """The larger one; NaN if one of them is (Python's own `max` depends on their order)."""
    return math.nan if math.isnan(one) or math.isnan(other) else max(one, other)


def exceeds(row: dict[str, float | None], precision: str) -> bool:
    """Whether a row of metrics.csv passes the limits of its precision; NaN does."""
    values = [row[name] for name in COLUMNS[:2]]
    return any(value is not None and not value <= limit for value, limit in zip(values, LIMITS[precision], strict=True))


def warn_if_parted(rows: Sequence[dict[str, float | None]], precision: str) -> None:
    """A line of the log, where the last row is the first one of the run that passes the limits."""
    if not exceeds(rows[-1], precision) or any(exceeds(row, precision) for row in rows[:-1]):
        return
    last, (mean, largest) = rows[-1], LIMITS[precision]
    log.warning(
        "step %d: sampler and trainer differ: log-probabilities of the same tokens by %.3g nats on average (limit %g "
        "in %s), %.3g at most (limit %g); a completion is %.3g to %.3g times as probable by the trainer",
        *(last["step"], last[COLUMNS[0]], mean, precision, last[COLUMNS[1]], largest),
        *(last[COLUMNS[3]], last[COLUMNS[4]]),
    )
