"""What the replicates of a condition answered at one step, question by question.

Every array starts with (replicates, questions), so that an interval can count both: seeds are drawn, and so are the
questions, which all replicates share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from echochamber.analysis import replicates
from echochamber.analysis.tables.per_question import RIGHT, WRITTEN
from echochamber.formats import FORMATS
from echochamber.stats import metrics


@dataclass(frozen=True)
class Measured:
    """Means over the RL seeds of each replicate. All values are shares of a question's completions, 0 to 1."""

    seeds: tuple[Any, ...]
    """(replicates,): model seeds, or RL seeds of the one base model."""
    questions: tuple[str, ...]
    written: np.ndarray
    """(replicates, questions, formats)."""
    right: np.ndarray
    """Right completions in each format: (replicates, questions, formats)."""
    pass_at_k: np.ndarray
    """With k all samples of a question: (replicates, questions), as what follows."""
    majority: np.ndarray
    greedy: np.ndarray
    right_steps: np.ndarray
    """Right by right steps; NaN where steps were not looked at."""
    pass_by_steps: np.ndarray

    @property
    def accuracy(self) -> np.ndarray:
        """pass@1 of the samples: (replicates, questions)."""
        return self.right.sum(-1)

    def share(self, form: str) -> np.ndarray:
        """(replicates, questions)."""
        return self.written[..., FORMATS.index(form)]

    @property
    def shares(self) -> np.ndarray:
        """(replicates, formats)."""
        return self.written.mean(1)

    @property
    def winners(self) -> np.ndarray:
        """The format with the largest share, by replicate."""
        return np.array(FORMATS)[self.shares.argmax(1)]

    def after(self, other: Measured) -> None:
        """Raise ValueError unless both are of the same replicates and questions."""
        if self.seeds != other.seeds or self.questions != other.questions:
            raise ValueError(
                f"replicates {self.seeds} on {len(self.questions)} questions and {other.seeds} on "
                f"{len(other.questions)}: allowed: the same"
            )


def measured(rows: pd.DataFrame, runs: pd.DataFrame) -> Measured:
    """From rows of the table `per_question`: those of `runs` at one step on one question set.

    Raises ValueError if a run has no rows, or answered other questions than the rest.
    """
    by_run = {id: part.sort_values("question_id") for id, part in rows.groupby("id", sort=False)}
    missing = [id for id in runs["id"] if id not in by_run]
    if missing:
        raise ValueError(f"per_question: found no rows of {missing[0]}, allowed: every run at every step")
    questions = tuple(by_run[runs["id"].iloc[0]]["question_id"])
    for id, part in by_run.items():
        if tuple(part["question_id"]) != questions:
            raise ValueError(f"per_question: {id} answered other questions than {runs['id'].iloc[0]}")
    unit = replicates.unit(runs)
    seeds, stacked = [], []
    for seed, same in runs.groupby(unit, sort=True, dropna=False):
        seeds.append(seed)
        stacked.append(
            [np.mean(each, axis=0) for each in zip(*(_of_run(by_run[id]) for id in same["id"]), strict=True)]
        )
    return Measured(tuple(seeds), questions, *(np.stack(each) for each in zip(*stacked, strict=True)))


def _of_run(rows: pd.DataFrame) -> tuple[np.ndarray, ...]:
    """The arrays of one run, in the order of `Measured`."""
    samples = rows["samples"].to_numpy(dtype=float)
    (n,) = set(samples.astype(int))
    written, right = (rows[list(columns)].to_numpy(dtype=float) for columns in (WRITTEN, RIGHT))
    steps = rows["right_steps"].to_numpy(dtype=float)
    by_steps = np.full(len(steps), np.nan)
    if np.isfinite(steps).all():
        by_steps = metrics.pass_at_k(n, steps.astype(int), n)
    best = metrics.pass_at_k(n, right.sum(1).astype(int), n)
    majority, greedy = (rows[name].to_numpy(dtype=float) for name in ("majority", "greedy"))
    return (written / samples[:, None], right / samples[:, None], best, majority, greedy, steps / samples, by_steps)


def pseudo_values(statistic: Callable[..., np.ndarray], *arrays: np.ndarray) -> np.ndarray:
    """Jackknife pseudo-values over questions (Tukey 1958) of a function of sums: (replicates, questions).

    arrays: (replicates, questions, ...) each; statistic: takes their sums over questions, with any number of leading
    axes, and drops the rest. Their mean is the statistic less its bias of order 1 / questions; their spread over
    questions is its own, so that an interval over seeds and questions can be had of what is no mean over questions.
    """
    questions = arrays[0].shape[1]
    totals = [array.sum(1) for array in arrays]
    estimate = statistic(*totals)
    left_out = statistic(*(total[:, None] - array for total, array in zip(totals, arrays, strict=True)))
    return questions * estimate[:, None] - (questions - 1) * left_out
