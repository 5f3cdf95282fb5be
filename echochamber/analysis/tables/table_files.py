"""Tables as Parquet and CSV files that are typed by their declarations, and written a few rows at a time.

A file of measures holds several tables: it has one row, and a column a table, whose value is the list of its rows. So
an evaluation has one file, of which the tables are read apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from echochamber.jobs.files import csv_quoting, replacing, write_aside
from echochamber.stats.columns import Table

ARROW = {
    "text": pa.string(),
    "integer": pa.int64(),
    "count": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "numbers": pa.list_(pa.float64()),
}
"""Kind of a column -> its type in a file."""


def schema(table: Table, columns: list[str]) -> pa.Schema:
    """The types of a table's columns. What is not declared, in a table that extends, is numbers."""
    kinds = {column.name: column.kind for column in table.columns}
    return pa.schema([(name, ARROW[kinds.get(name, "number")]) for name in columns])


def to_arrow(table: Table, rows: pd.DataFrame) -> pa.Table:
    """The rows with the declared types.

    Raises ValueError, in one line, if the columns are not the declared ones.
    """
    typed = table.typed(rows)
    return pa.Table.from_pandas(typed, schema(table, list(typed.columns)), preserve_index=False)


def write_measures(path: Path, declared: Mapping[str, Table], tables: Mapping[str, pd.DataFrame]) -> None:
    """One file of several tables. declared: by name, all that are in `tables`."""
    columns = {}
    for name, rows in tables.items():
        (batch,) = to_arrow(declared[name], rows).combine_chunks().to_struct_array().chunks or [None]
        kind = pa.struct(list(schema(declared[name], list(rows.columns))))
        columns[name] = (
            pa.array([[]], pa.list_(kind)) if batch is None else pa.ListArray.from_arrays([0, len(batch)], batch)
        )
    write_aside(path, lambda aside: pq.write_table(pa.table(columns), aside, compression="zstd"))


def read_measures(path: Path, declared: Mapping[str, Table]) -> dict[str, pd.DataFrame]:
    """Those of the declared tables that the file holds.

    Raises ValueError, in one line, if the columns of a table are not the declared ones.
    """
    present = pq.read_schema(path).names
    lists = pq.read_table(path, columns=[name for name in declared if name in present])
    tables = {}
    for name in lists.column_names:
        rows = pa.Table.from_struct_array(lists[name].combine_chunks().flatten()).to_pandas()
        declared[name].check(rows.columns, f"{path}: {name}")
        tables[name] = declared[name].typed(rows)
    return tables


class Writer(Protocol):
    """Takes the rows of a table, a part after the other."""

    def __call__(self, name: str, rows: pd.DataFrame) -> None: ...


@contextmanager
def writing(folder: Path, declared: Mapping[str, Table], *, people: bool) -> Iterator[Writer]:
    """A writer of a file a table, which are all put into place at the end; of a table without rows too.

    Args:
        folder: where they are written.
        declared: the tables, by name.
        people: CSV where a table holds no texts; else Parquet throughout.
    """
    with ExitStack() as stack:
        parquet: dict[str, pq.ParquetWriter] = {}
        csv: dict[str, Path] = {}

        def write(name: str, rows: pd.DataFrame) -> None:
            table = declared[name]
            if people and not table.texts:
                first = name not in csv
                if first:
                    csv[name] = stack.enter_context(replacing(folder / table.file))
                table.typed(rows).to_csv(csv[name], index=False, header=first, mode="a", quoting=csv_quoting(rows))
                return
            part = to_arrow(table, rows)
            if name not in parquet:
                aside = stack.enter_context(replacing(folder / f"{name}.parquet"))
                parquet[name] = stack.enter_context(pq.ParquetWriter(aside, part.schema, compression="zstd"))
            parquet[name].write_table(part)

        yield write
        for name, table in declared.items():
            if name not in csv and name not in parquet:
                write(name, no_rows(table))


def no_rows(table: Table) -> pd.DataFrame:
    """The table without rows."""
    return table.typed(pd.DataFrame(columns=list(table)))
