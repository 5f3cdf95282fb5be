"""What the optional judge reads of a grid, and the table of what it found: tables/judged.csv."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from echochamber.analysis.replicates import with_seeds
from echochamber.analysis.samples import completions
from echochamber.evaluation import samples_file
from echochamber.evaluation.judge import CATEGORIES, UNPARSEABLE, Messages, messages
from echochamber.grid.expansion import Grid
from echochamber.grid.ids import Run
from echochamber.jobs.files import read_json_lines
from echochamber.stats.columns import AXES, MEASURED, OF_RUN, Column, Table
from echochamber.stats.intervals import question_intervals

JUDGED = Table(
    "judged",
    "the share of a category of errors, by the judge, among the wrong completions before (step 0) or after RL",
    (*OF_RUN, Column("category", "text", "of the error, or `unparseable`"), *MEASURED),
)
FOUND = (*CATEGORIES, UNPARSEABLE)


def table(grid: Grid, judge: Callable[[list[Messages]], list[str]]) -> pd.DataFrame:
    """Rows with the columns `JUDGED`: share of each category, or of unparseable answers, among the wrong completions.

    For each run and question set at step 0 (the base model) and at the end. judge: one category for each of what is
    asked. Intervals over questions; of settings with several seeds also over them.
    """
    parts: list[tuple[dict, pd.DataFrame]] = []
    for axes, base, start, path, benchmark in of_runs(grid):
        last = last_step(path)
        for step, file, at in ((0, base, start), (last, path, last)):
            parts.append((axes | {"step": step, "n_seeds": 1}, wrong(grid, file, at, benchmark)))
    categories = iter(
        judge([messages(*row) for _, part in parts for row in part[["question", "gold", "completion"]].values])
    )
    rows = []
    for at, part in parts:
        if len(part):
            kinds = np.array([FOUND.index(next(categories)) for _ in range(len(part))])
            rows += [at | row for row in shares(part["question_id"].to_numpy(), kinds)]
    return JUDGED.typed(with_seeds(rows, JUDGED, ["category"]))


def of_runs(grid: Grid) -> Iterator[tuple[dict, Path, int, Path, str]]:
    """Of each run and benchmark: its axes, the base model's samples and step, the run's samples, the benchmark."""
    index = pd.DataFrame(grid.index()).set_index("id", drop=False)
    for (id, benchmark), job in grid.evaluations.items():
        if isinstance(job, Run):
            base = grid.paths.samples(job.model.id, benchmark)
            start = job.from_step or last_step(base)
            axes = {"id": id} | {axis: index.loc[id, axis] for axis in AXES}
            axes |= {"start": job.start or None, "question_set": benchmark}
            yield axes, base, start, grid.paths.samples(id, benchmark), benchmark


def questions_of(grid: Grid, benchmark: str) -> dict[str, dict]:
    """The questions of a benchmark, by their ids."""
    path = grid.paths.questions(grid.file.benchmarks[benchmark].questions, "test")
    return {str(question["question_id"]): question for question in read_json_lines(path)}


def wrong(grid: Grid, path: Path, step: int, benchmark: str) -> pd.DataFrame:
    """The wrong completions that the judge reads: of all questions by turns, as many as its settings say."""
    asked = questions_of(grid, benchmark)
    columns = ["question_id", "sample", "completion"]
    filters = [("step", "==", step), ("mode", "==", "sample"), ("correct", "==", False)]
    rows = completions(path, columns, filters)
    rows = rows.sort_values(["sample", "question_id"], kind="stable").head(grid.file.judge.completions)
    ids = rows["question_id"].astype(str)
    return rows.assign(question=[asked[id]["question"] for id in ids], gold=[asked[id]["answer"] for id in ids])


def shares(questions: np.ndarray, kinds: np.ndarray) -> list[dict]:
    """Rows category, estimate, low, high, n_questions, n_samples of one part."""
    which = pd.factorize(questions)[0]
    counts = np.zeros((which.max() + 1, len(FOUND)))
    np.add.at(counts, (which, kinds), 1)
    per = np.repeat(counts.sum(1, keepdims=True), len(FOUND), axis=1)
    counted = {"n_questions": len(counts), "n_samples": len(kinds)}
    return [
        {"category": name} | dict(zip(("estimate", "low", "high"), map(float, ends), strict=True)) | counted
        for name, ends in zip(FOUND, question_intervals(counts, per).T, strict=True)
    ]


def last_step(path: Path) -> int:
    """The last that was evaluated."""
    return int(max(samples_file.read(path, ["step"])["step"]))
