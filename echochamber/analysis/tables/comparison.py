"""What a table is that holds the samples of a run against those of its base model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from echochamber.analysis.samples import Answers
from echochamber.stats.columns import Table


@dataclass(frozen=True)
class Comparison:
    """One table; its module holds it as `COMPARISON`."""

    table: Table
    """Its columns: `OF_RUN`, then those of `compare`, with `MEASURED` among them."""
    compare: Callable[[Answers, Answers], list[dict[str, Any]]]
    """From the sampled answers before and after RL to rows, without axes, counts of questions, samples and seeds."""
    apart: tuple[str, ...]
    """Columns that tell the measures of a run apart: each is pooled over the seeds of a setting as well."""
