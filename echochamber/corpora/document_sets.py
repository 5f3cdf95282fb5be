"""Corpora in files, the paper's and other people's: one adapter for all.

A document is question, empty line, solution (or a plain text), as the paper's own scripts make it: no template, no
start token; the end token is added by tokenising. Differs from the authors' scripts in that bad rows are counted and
reported, and that what is read is fixed by name: OpenMathInstruct-1's correct solutions, OpenMathInstruct-2's `train`.
"""

from __future__ import annotations

from collections.abc import Iterator

from echochamber.corpora import reading
from echochamber.corpora.documents import BadRow, Document, flaw
from echochamber.corpora.locations import of_source
from echochamber.corpora.rows import Row
from echochamber.errors import UserError
from echochamber.settings import HubSource, LocalSource

_MOST_BYTES = 12
"""Of one character, where JSON writes both halves of a surrogate pair as escapes."""
_OTHER_COLUMNS = 1 << 20
"""Bytes of a row beside its text."""


def documents(
    settings: HubSource | LocalSource, source: str, data: str, part: int = 0, parts: int = 1
) -> Iterator[Document | BadRow]:
    """The documents of one part of a source, in the order of its files.

    Args:
        data: the grid's folder of downloads.

    Raises:
        UserError: a file is missing or damaged; or, with `on_bad_row: error`, the first row that is no document.
    """
    location = of_source(source, settings)
    if location is None:
        raise ValueError(f"corpora.{source}: found {settings.kind}, allowed: a corpus in files")
    columns = settings.about.columns if isinstance(settings, HubSource) else settings.columns
    longest = _MOST_BYTES * settings.longest + _OTHER_COLUMNS
    for row in reading.rows(location.files(data), columns, part, parts, longest):
        item = row if isinstance(row, BadRow) else document(row, columns, source, settings.longest)
        if isinstance(item, BadRow) and settings.on_bad_row == "error":
            raise UserError(
                f"corpora.{source}: {item.location}: found a bad row ({item.reason}), allowed: a text in "
                f"{' and '.join(columns)} (on_bad_row: skip leaves such rows out and counts them)"
            )
        yield item


def document(row: Row, columns: tuple[str, ...], source: str, longest: int) -> Document | BadRow:
    """One row as a document; `longest` in characters."""
    for column in columns:
        if wrong := flaw(row.get(column)):
            return BadRow(wrong, f"{row.location}, {column}")
    text = "\n\n".join(row[column] for column in columns)
    return BadRow("too long", row.location) if len(text) > longest else Document(text, source)
