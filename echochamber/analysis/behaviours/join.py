"""The tables of behaviours of one study, and the forecast of a grid, from what each evaluation adds."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from echochamber.analysis.behaviours import tables
from echochamber.analysis.behaviours.courses import Curves, courses, pace
from echochamber.analysis.behaviours.labelled import Labelled
from echochamber.analysis.replicates import with_seeds
from echochamber.analysis.tables import table_files
from echochamber.analysis.tables.join import TABLES as OF_FORMATS
from echochamber.evaluation.labels import kinds
from echochamber.grid.expansion import Grid
from echochamber.grid.ids import Model, Run
from echochamber.jobs.files import write_csv
from echochamber.stats.columns import Table


def join(grid: Grid, outcomes: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """`tables.TABLES` of the runs of a grid that holds one study.

    Args:
        outcomes: the study's table of that name, which holds the pace of mean fields.
    """
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in tables.OF_RUNS}
    dynamics: list[dict] = []
    ways, known, bases = list(kinds(grid.file.behaviours)), Curves(), {}
    for (id, benchmark), job in grid.evaluations.items():
        if isinstance(job, Model):
            continue
        measured = table_files.read_measures(grid.paths.label_measures(id, benchmark), tables.OF_RUNS)
        for name, rows in measured.items():
            parts[name].append(rows[rows["behaviour"].isin(list(grid.file.behaviours))])
        constants = pace(outcomes, id)
        if constants and _own(grid, job, benchmark) and len(parts[tables.GAINS.name][-1]):
            base = bases.get((job.model.id, benchmark)) or Labelled(
                grid.paths.samples(job.model.id, benchmark), grid.paths.labels(job.model.id, benchmark), ways
            )
            bases[job.model.id, benchmark] = base
            at = job.from_step or base.last
            shares = parts[tables.SHARES.name][-1]
            steps = shares.groupby("step")["completions_sampled"].first()
            rows_of_run = courses(grid, job, base, at, ways, steps, constants, known)
            dynamics += [row | {"question_set": benchmark} for row in rows_of_run]
    joined = {name: _all(parts[name], table) for name, table in tables.OF_RUNS.items()}
    gains = tables.GAINS
    apart = ["behaviour", "mark", "part", "label"]
    joined[gains.name] = gains.typed(with_seeds(joined[gains.name], list(gains), apart))
    fields = tables.DYNAMICS
    return joined | {fields.name: fields.typed(pd.DataFrame(dynamics, columns=list(fields)))}


def _own(grid: Grid, run: Run, benchmark: str) -> bool:
    return grid.file.prompts[run.prompts].questions == grid.file.benchmarks[benchmark].questions


def _all(parts: list[pd.DataFrame], table: Table) -> pd.DataFrame:
    some = [part for part in parts if len(part)]
    return table.typed(pd.concat(some, ignore_index=True)) if some else table_files.no_rows(table)


def join_files(grid: Grid, study: str, folder: Path) -> None:
    """The tables of a study as CSV files in a folder."""
    path = grid.paths.study(study) / "outcomes.parquet"
    for name, rows in join(grid, OF_FORMATS["outcomes"].read(path)).items():
        write_csv(folder / f"{name}.csv", rows)


def forecast(grid: Grid) -> pd.DataFrame:
    """behaviour_forecast.csv: what each base model's labels are foretold to do, before any RL."""
    parts = [
        table_files.read_measures(grid.paths.label_measures(*evaluation), tables.OF_MODELS)[tables.FORECAST.name]
        for evaluation in grid.base_evaluations
    ]
    return _all(parts, tables.FORECAST)


def read(grid: Grid, study: str) -> dict[str, pd.DataFrame]:
    """The tables of behaviours of a study that there are."""
    files = {name: grid.paths.behaviours(study) / f"{name}.csv" for name in tables.TABLES}
    return {name: tables.TABLES[name].read(file) for name, file in files.items() if file.exists()}
