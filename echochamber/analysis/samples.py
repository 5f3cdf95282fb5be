"""samples.parquet as arrays: one row a step and question, one column a sample.

Every measure of a model is a function of these arrays, so a table can be made again without sampling again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from echochamber.settings import FORMATS

COLUMNS = (
    "step",
    "question_id",
    "mode",
    "sample",
    "tokens",
    "finished",
    "format",
    "correct",
    "answer_key",
    "flags",
    "format_authors",
    "correct_authors",
)
"""What the measures need; completions themselves are read for the examples only."""


@dataclass(frozen=True)
class Answers:
    """What one model answered at one step in one mode. Arrays are (questions, samples) unless said otherwise."""

    questions: np.ndarray
    """(questions,) ids, sorted."""
    correct: np.ndarray
    """bool, scorer `strict`."""
    correct_authors: np.ndarray
    """bool, scorer `authors`."""
    format: np.ndarray
    """Index into `echochamber.settings.FORMATS`."""
    format_authors: np.ndarray
    """Index into FORMATS."""
    key: np.ndarray
    """Canonical answer as an integer that is the same for equal answers of this file; -1: no answer."""
    finished: np.ndarray
    """bool: the end token was seen."""
    degenerate: np.ndarray
    """bool: flagged as degenerate by the verifier."""
    tokens: np.ndarray
    """Length of the completion in tokens."""

    def of(self, scorer: str) -> tuple[np.ndarray, np.ndarray]:
        """(correct, format) by `strict` or by `authors`."""
        return (self.correct, self.format) if scorer == "strict" else (self.correct_authors, self.format_authors)


def read(path: Path) -> dict[tuple[int, str], Answers]:
    """samples.parquet -> {(step, mode): Answers}, mode `greedy` or `sample`.

    Raises ValueError, in one line, if columns are missing, a format is unknown, or questions differ in their number
    of samples.
    """
    file = pq.ParquetFile(path)
    missing = sorted(set(COLUMNS) - set(file.schema_arrow.names))
    if missing:
        raise ValueError(f"{path}: found no column {', '.join(missing)}, allowed: all of {', '.join(COLUMNS)}")
    table = file.read(columns=list(COLUMNS)).to_pandas()
    table["key"] = pd.factorize(table["answer_key"])[0]  # a missing answer becomes -1
    table["degenerate"] = has_flag(table["flags"], "repeats")
    for column in ("format", "format_authors"):
        index = table[column].map({name: i for i, name in enumerate(FORMATS)})
        if index.isna().any():
            found = table.loc[index.isna(), column].iloc[0]
            raise ValueError(f"{path}: {column}: found {found!r}, allowed: {', '.join(FORMATS)}")
        table[column] = index.astype(np.int8)
    return {
        (int(step), str(mode)): _answers(part, f"{path}: step {step}, mode {mode}")
        for (step, mode), part in table.groupby(["step", "mode"], sort=True)
    }


def _answers(part: pd.DataFrame, where: str) -> Answers:
    part = part.sort_values(["question_id", "sample"], kind="stable")
    questions, counts = np.unique(part["question_id"].to_numpy(dtype=str), return_counts=True)
    if counts.min() != counts.max():
        raise ValueError(f"{where}: found {counts.min()} to {counts.max()} samples a question, allowed: one number")
    shape = (len(questions), counts[0])
    arrays = {
        name: part[name].to_numpy(dtype=kind).reshape(shape)
        for name, kind in (
            ("correct", bool),
            ("correct_authors", bool),
            ("format", np.int8),
            ("format_authors", np.int8),
            ("key", np.int64),
            ("finished", bool),
            ("degenerate", bool),
            ("tokens", np.int64),
        )
    }
    return Answers(questions=questions, **arrays)


def has_flag(flags: pd.Series, name: str) -> np.ndarray:
    """Which completions carry a flag; flags are a list, or one string with separators."""
    wanted = {value: name in split_flags(value) for value in flags.map(_hashable).unique()}
    return flags.map(_hashable).map(wanted).to_numpy(dtype=bool)


def _hashable(value: object) -> object:
    return tuple(value) if isinstance(value, list | np.ndarray | set | frozenset) else value


def split_flags(value: object) -> tuple[str, ...]:
    """The flags of a completion, which are a tuple, or one string with separators."""
    if isinstance(value, str):
        return tuple(value.replace(",", " ").replace(";", " ").split())
    return value if isinstance(value, tuple) else ()
