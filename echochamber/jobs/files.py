"""Writing files so that a kill at any moment leaves the old one or the new one, never half of one."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside `path` for a new file or folder, which is flushed to disk and renamed into place at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part{path.suffix}")
    remove(aside)
    try:
        yield aside
        sync(aside)
        if aside.is_dir():
            remove(path)  # rename replaces a file, but not a folder that has something in it
        os.replace(aside, path)
    finally:
        remove(aside)
    sync_entry(path.parent)


def write_aside(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file or a folder beside `path`, flush it to disk and rename it into place."""
    with replacing(path) as aside:
        write(aside)


def write_text(path: Path, text: str) -> None:
    write_aside(path, lambda aside: aside.write_text(text, encoding="utf-8"))


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def write_json_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """A table that reads back equal, whatever its texts hold; but an empty text and a missing one are both empty.

    Where a text has a carriage return, all texts are quoted: Python's writer leaves a lone one bare, which to a reader
    ends the row.
    """
    write_aside(path, lambda aside: table.to_csv(aside, index=False, quoting=csv_quoting(table)))


def csv_quoting(table: pd.DataFrame) -> Literal[0, 2]:
    """How the texts of a table are quoted in CSV: see `write_csv`."""
    from pandas.api.types import is_numeric_dtype

    texts = [column for _, column in table.items() if not is_numeric_dtype(column.dtype)]
    returns = any(isinstance(value, str) and "\r" in value for column in texts for value in column)
    return csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL


def part_name(part: int, parts: int) -> str:
    """The name of one of several parts of a whole, counted from 0."""
    return f"{part:05d}-of-{parts:05d}"


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def remove(path: Path) -> None:
    """Remove a file or a folder, or nothing."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Flush a file, or everything in a folder, to disk."""
    if path.is_dir():
        for child in path.iterdir():
            sync(child)
        sync_entry(path)
    else:
        with path.open("rb") as file:
            os.fsync(file.fileno())


def sync_entry(folder: Path) -> None:
    """Flush a folder's list of names, so that a rename in it survives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
