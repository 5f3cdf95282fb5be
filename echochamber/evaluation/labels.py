"""labels.parquet: the labels of every completion of one evaluation, a column for each way to tell them apart."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from echochamber import own_function
from echochamber.behaviours import labelling
from echochamber.behaviours.partition import Partition
from echochamber.errors import UserError
from echochamber.evaluation import samples_file
from echochamber.jobs.files import write_aside
from echochamber.settings import Behaviour

KEY = ("step", "mode", "question_id", "sample")
"""What tells the completions of an evaluation apart."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kind:
    """One way to tell completions apart, under the name that the grid file gives it."""

    behaviour: str
    partition: Partition

    @property
    def mark(self) -> str | None:
        return self.partition.mark

    @property
    def labels(self) -> tuple[str, ...]:
        return self.partition.labels

    @property
    def column(self) -> str:
        """Of labels.parquet."""
        return f"{self.behaviour}/{self.mark}" if self.mark else self.behaviour


def kinds(behaviours: Mapping[str, Behaviour]) -> Iterator[Kind]:
    """All ways to tell completions apart, in the order of the grid file."""
    for name, behaviour in behaviours.items():
        for partition in behaviour.partitions():
            yield Kind(name, partition)


def label(samples: Path, behaviours: Mapping[str, Behaviour], base: Path) -> pd.DataFrame:
    """The columns `KEY` and one of text for each of `kinds`, a row a completion.

    Args:
        base: samples of the base model, whose last checkpoint's lengths quarters are of.

    Raises:
        UserError: a function cannot be imported, or a test fails, or takes too long on too many completions; one line
            says which.
    """
    _load(behaviours)
    table = samples_file.read(samples, [*KEY, "completion", "tokens"])
    texts = table["completion"].fillna("").tolist()
    columns: dict[str, list[str]] = {}
    for kind in kinds(behaviours):
        where = f"behaviours.{kind.behaviour}" + (f".marks.{kind.mark}" if kind.mark else "")
        if kind.partition.label is None:
            columns[kind.column] = labelling.by_length(kind.partition, table["tokens"].to_numpy(), _lengths(base))
            continue
        columns[kind.column], slow = labelling.label(kind.partition, texts, where)
        if slow:
            log.warning("%s: %d completions took too long, and bear `%s`", where, slow, kind.labels[-1])
    return table[list(KEY)].assign(**columns)


def _load(behaviours: Mapping[str, Behaviour]) -> None:
    """Import the functions of the user's own, which takes longer than a completion may."""
    for name, behaviour in behaviours.items():
        for key, function in behaviour.functions().items():
            try:
                own_function.load(function)
            except UserError as error:
                raise UserError(f"behaviours.{name}.{key}: {error}") from None


def _lengths(base: Path) -> np.ndarray:
    table = samples_file.read(base, ["step", "tokens"], [("mode", "==", "sample")])
    return table.loc[table["step"] == table["step"].max(), "tokens"].to_numpy()


def write(path: Path, table: pd.DataFrame) -> None:
    """labels.parquet."""
    packed = pa.Table.from_pandas(table, preserve_index=False)
    write_aside(path, lambda aside: pq.write_table(packed, aside, compression="zstd"))


def read(path: Path, columns: list[str]) -> pd.DataFrame:
    """`KEY` and some columns of labels.parquet.

    Raises:
        ValueError: the file lacks columns; one line names them.
    """
    missing = sorted(set(columns) - set(pq.read_schema(path).names))
    if missing:
        raise ValueError(f"{path}: found no column {', '.join(missing)}, allowed: all of {', '.join(columns)}")
    table: pd.DataFrame = pq.read_table(path, columns=[*KEY, *columns]).to_pandas()
    return table
