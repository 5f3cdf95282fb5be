"""Pairs of a wrong answer before RL and a right one after, as the paper reads them: tables/judged_pairs.csv (C14)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from echochamber.analysis.replicates import with_seeds
from echochamber.analysis.samples import completions
from echochamber.analysis.tables.judged import FOUND, last_step, of_runs, questions_of
from echochamber.evaluation.judge import Messages, pair_messages
from echochamber.grid.expansion import Grid
from echochamber.stats.columns import MEASURED, OF_RUN, Column, Table
from echochamber.stats.intervals import question_intervals

JUDGED_PAIRS = Table(
    "judged_pairs",
    "the share of a kind of error, by the judge, among greedy answers that are wrong before RL and right after; one "
    "answer may have several",
    (*OF_RUN, Column("category", "text", "of the error before RL, or `unparseable`"), *MEASURED),
)


def table(grid: Grid, judge: Callable[[list[Messages]], list[tuple[str, ...]]]) -> pd.DataFrame:
    """Rows with the columns `JUDGED_PAIRS`, for each run and question set; none where no question became right.

    judge: the categories of each of what is asked. Intervals over the pairs; of settings with several seeds also over
    them.
    """
    parts = []
    for axes, base, start, path, benchmark in of_runs(grid):
        last = last_step(path)
        before, after = (_greedy(file, step) for file, step in ((base, start), (path, last)))
        both = before.join(after, lsuffix="_before", rsuffix="_after", how="inner")
        pairs = both[~both["correct_before"] & both["correct_after"]].sort_index()
        asked = questions_of(grid, benchmark)
        texts = [
            pair_messages(asked[id]["question"], asked[id]["answer"], row.completion_before, row.completion_after)
            for id, row in zip(pairs.index, pairs.itertuples(), strict=True)
        ]
        parts.append((axes | {"step": last, "n_seeds": 1}, texts[: grid.file.judge.completions]))
    said = iter(judge([text for _, texts in parts for text in texts]))
    rows = []
    for axes, texts in parts:
        if texts:
            rows += [axes | row for row in shares([next(said) for _ in texts])]
    return JUDGED_PAIRS.typed(with_seeds(rows, JUDGED_PAIRS, ["category"]))


def _greedy(path: Path, step: int) -> pd.DataFrame:
    """completion and correct of each question's greedy answer, by question."""
    filters = [("step", "==", step), ("mode", "==", "greedy")]
    rows = completions(path, ["question_id", "completion", "correct"], filters)
    return rows.assign(question_id=rows["question_id"].astype(str)).set_index("question_id")


def shares(said: list[tuple[str, ...]]) -> list[dict]:
    """Rows category, estimate, low, high, n_questions, n_samples: a pair counts in every kind that it was given."""
    counts = np.array([[float(name in kinds) for name in FOUND] for kinds in said])
    counted = {"n_questions": len(said), "n_samples": len(said)}
    return [
        {"category": name} | dict(zip(("estimate", "low", "high"), map(float, ends), strict=True)) | counted
        for name, ends in zip(FOUND, question_intervals(counts, np.ones_like(counts)).T, strict=True)
    ]
