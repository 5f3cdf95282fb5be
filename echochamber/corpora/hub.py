"""The paper's corpora: one adapter for all, told what to read by `catalog`.

A document is question, empty line, solution (or a plain text), as the paper's own scripts make it: no template, no
start token; the end token is added by tokenising. Differs from the authors' scripts in that bad rows are counted and
reported, and that what is read is fixed by name: OpenMathInstruct-1's correct solutions, OpenMathInstruct-2's `train`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from echochamber.corpora import reading
from echochamber.corpora.documents import BadRow, Document, flaw
from echochamber.corpora.rows import Row
from echochamber.datasets import CORPORA
from echochamber.errors import UserError
from echochamber.jobs import downloads
from echochamber.settings import HubQuestions, HubSource, HubTokenizer

HUB = "hf://datasets/"
FITTING = (
    "with Llama-2's 32,000 pieces, for all to read: hf-internal-testing/llama-tokenizer, NousResearch/Llama-2-7b-hf"
)
"""Tokenizers for the paper's grid; Llama-2's own repository is gated."""

_MOST_BYTES = 12
"""Of one character, where JSON writes both halves of a surrogate pair as escapes."""
_OTHER_COLUMNS = 1 << 20
"""Bytes of a row beside its text."""


def documents(
    settings: HubSource, source: str, data: str, part: int = 0, parts: int = 1
) -> Iterator[Document | BadRow]:
    """The documents of one part of a source, in the order of its files.

    Args:
        data: the grid's folder of downloads.

    Raises:
        UserError: a file is missing or damaged; or, with `on_bad_row: error`, the first row that is no document.
    """
    corpus = CORPORA[settings.dataset]
    files = data_files(settings, f"corpora.{source}", corpus.repository, corpus.patterns, data)
    longest = _MOST_BYTES * settings.longest + _OTHER_COLUMNS
    for row in reading.rows(files, corpus.columns, part, parts, longest):
        item = row if isinstance(row, BadRow) else document(row, corpus.columns, source, settings.longest)
        if isinstance(item, BadRow) and settings.on_bad_row == "error":
            raise UserError(
                f"corpora.{source}: {item.location}: found a bad row ({item.reason}), allowed: a text in "
                f"{' and '.join(corpus.columns)} (on_bad_row: skip leaves such rows out and counts them)"
            )
        yield item


def document(row: Row, columns: tuple[str, ...], source: str, longest: int) -> Document | BadRow:
    """One row as a document; `longest` in characters."""
    for column in columns:
        if wrong := flaw(row.get(column)):
            return BadRow(wrong, f"{row.location}, {column}")
    text = "\n\n".join(row[column] for column in columns)
    return BadRow("too long", row.location) if len(text) > longest else Document(text, source)


def root(settings: HubSource | HubQuestions, repository: str, data: str) -> str:
    """Where a source's files are: its `path`, else the folder of downloads if it has the repository, else the hub."""
    if settings.path:
        return settings.path
    local = Path(data) / repository
    return str(local) if local.is_dir() else f"{HUB}{repository}@{settings.revision}"


def data_files(
    settings: HubSource | HubQuestions, key: str, repository: str, patterns: tuple[str, ...], data: str
) -> list[reading.DataFile]:
    """The files of a source.

    Raises:
        UserError: there are none, or not all of them; `key` is the source's place in the grid file.
    """
    location, reason = root(settings, repository, data), "nothing there"
    try:
        files = reading.find(location, patterns)
    except Exception as error:  # whatever the network, or a library that speaks with it, makes of it
        files, reason = [], f"{type(error).__name__}: {' '.join(str(error).split())[:150]}"
    if not files:
        raise UserError(missing(key, location, reason, repository, patterns, data))
    if "://" not in location:
        downloads.refuse_lacking(key, Path(location), patterns)
    return files


def missing(key: str, location: str, reason: str, repository: str, patterns: tuple[str, ...], data: str) -> str:
    """One line: what was not found, and how to get it."""
    return (
        f"{key}: found no {patterns[0]} in {location} ({reason}), allowed: `snakemake download` where there is network "
        f"(it fills {data}/{repository}), or {key}.path: a folder or mirror that has it"
    )


def missing_tokenizer(settings: HubTokenizer, data: str) -> str:
    """The same for the tokenizer."""
    return (
        f"tokenizer.path: found no folder {settings.path} or {data}/{settings.path}, nor a repository of that name on "
        f"the hub, allowed: a folder with tokenizer.json, or a repository that has it ({FITTING}; `snakemake download` "
        "fetches it)"
    )
