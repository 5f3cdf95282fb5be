"""The tables of a grid or a study as files, and made in one go from the samples. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from echochamber.analysis.tables import measure, table_files
from echochamber.analysis.tables.join import TABLES, join
from echochamber.analysis.tables.judged import JUDGED
from echochamber.analysis.tables.judged_pairs import JUDGED_PAIRS
from echochamber.analysis.tables.table_files import no_rows
from echochamber.grid.expansion import Grid


def build(grid: Grid) -> dict[str, pd.DataFrame]:
    """All tables of a grid whose jobs are done, by name: `TABLES`, without the files of measures.

    Raises FileNotFoundError or ValueError, in one line, if an evaluation or a log of a job that the grid names is
    missing or unreadable.
    """
    for id, benchmark in grid.evaluations:
        path = grid.paths.samples(id, benchmark)
        if not path.exists():
            raise FileNotFoundError(f"{path}: found nothing, allowed: the samples of {id} on {benchmark}")

    def measured(id: str, benchmark: str) -> dict[str, pd.DataFrame]:
        return measure.measure(grid.measure_spec(grid.evaluations[id, benchmark], benchmark))

    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in TABLES}
    join(grid, measured, lambda name, rows: parts[name].append(rows))
    return {
        name: table.typed(pd.concat(parts[name], ignore_index=True) if parts[name] else no_rows(table))
        for name, table in TABLES.items()
    }


def join_files(grid: Grid, folder: Path, *, people: bool) -> None:
    """The tables of a grid whose evaluations are measured, from their files of measures.

    Args:
        people: CSV where a table holds no texts; else Parquet throughout.
    """

    def measured(id: str, benchmark: str) -> dict[str, pd.DataFrame]:
        path = grid.paths.measures(id, benchmark)
        if not path.exists():
            raise FileNotFoundError(f"{path}: found nothing, allowed: what {id} on {benchmark} adds to the tables")
        return table_files.read_measures(path, measure.OF_RUNS)

    with table_files.writing(folder, TABLES, people=people) as write:
        join(grid, measured, write)


def write(tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Each table into its file in the folder: `Table.file`."""
    with table_files.writing(folder, {name: TABLES[name] for name in tables}, people=True) as write:
        for name, table in tables.items():
            write(name, table)


def read(folder: Path) -> dict[str, pd.DataFrame]:
    """The tables that are in a folder, typed as `build` gives them."""
    known = TABLES | {table.name: table for table in (JUDGED, JUDGED_PAIRS)}
    files = {name: (folder / f"{name}.parquet", folder / f"{name}.csv") for name in known}
    return {name: known[name].read(file) for name, some in files.items() for file in some if file.exists()}
