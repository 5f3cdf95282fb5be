"""What models and runs logged while they trained: metrics.csv, and the table of all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from echochamber.grid.expansion import Grid
from echochamber.grid.specs import Row
from echochamber.stats.columns import AXES, ID, SETTING, STEP, Table

TRAINING = Table(
    "training",
    "a row of a metrics.csv, with id and axes",
    (ID, *SETTING, STEP),
    "The columns of metrics.csv follow (of runs, and of models); a column that a job does not have is empty for it.",
    extends=True,
)


def read(path: Path, id: str) -> pd.DataFrame:
    """metrics.csv of a model or run.

    Raises FileNotFoundError, in one line, if it is not there.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: found nothing, allowed: the metrics of {id}")
    return pd.read_csv(path)


def paths(grid: Grid) -> dict[str, Path]:
    """id -> metrics.csv of the models and runs that are trained, and of imported models that have one."""
    files = {id: grid.paths.job(job) / "metrics.csv" for id, job in (grid.models | grid.runs).items()}
    return {id: file for id, file in files.items() if id in grid.trained_models or id in grid.runs or file.exists()}


def training(grid: Grid) -> Iterator[pd.DataFrame]:
    """The table `TRAINING`, a model or run after the other; all parts have the columns of all.

    Raises FileNotFoundError, in one line, if a log is missing.
    """
    files = paths(grid)
    for id, file in files.items():
        if not file.exists():
            read(file, id)
    columns = dict.fromkeys(name for file in files.values() for name in pd.read_csv(file, nrows=0).columns)
    logged = [name for name in columns if name not in TRAINING]
    jobs = grid.models | grid.runs
    for id, file in files.items():
        row = grid.row(jobs[id])
        log = read(file, id).reindex(columns=["step", *logged]).astype(dict.fromkeys(logged, float))
        yield log.assign(id=id, **{axis: getattr(row, axis) for axis in AXES})[[*TRAINING, *logged]]


def completions_sampled(log: pd.DataFrame, row: Row, step: int) -> float:
    """Completions that RL had sampled before checkpoint `step`: after that many rollout batches or iterations."""
    if step == 0:
        return 0.0
    if row.samples_per_step is not None:
        return float(step * row.samples_per_step)
    if "completions_sampled" not in log or len(log) < step:
        return float("nan")
    return float(log.sort_values("step")["completions_sampled"].iloc[step - 1])
