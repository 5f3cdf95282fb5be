"""What the readers of data files yield: rows, each with its place, or bad rows; and what ends a file."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import zstandard

from echochamber.corpora.documents import BadRow
from echochamber.errors import UserError

LONGEST = 1 << 24
"""Bytes of a row, unless the caller says otherwise; no reader holds much more than that of one."""

DAMAGE = (OSError, EOFError, ValueError, zlib.error, zstandard.ZstdError)
"""What decoders and file systems raise for a file that is cut off or damaged."""


class Row(dict[str, Any]):
    """The columns of one row."""

    __slots__ = ("location",)

    def __init__(self, columns: dict[str, Any], location: str) -> None:
        super().__init__(columns)
        self.location = location
        """File and row, for people."""


@dataclass(frozen=True)
class DataFile:
    """One file."""

    url: str
    """A path, or a URL that `fsspec` understands."""
    size: int
    """In bytes."""


def guarded(rows: Iterator[Row | BadRow], file: DataFile) -> Iterator[Row | BadRow]:
    """The same rows.

    Raises:
        UserError: the file is cut off or damaged. No matter of single rows: how many are lost nobody knows.
    """
    last = "at its beginning"
    try:
        for row in rows:
            last = f"after{row.location.removeprefix(file.url)}"
            yield row
    except DAMAGE as error:
        reason = " ".join(str(error).split())[:150] or type(error).__name__
        raise UserError(
            f"{file.url}: found a file that is cut off or damaged {last} ({reason}), allowed: a whole file"
        ) from None
