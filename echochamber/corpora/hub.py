"""The paper's corpora: one adapter for all, told what to read by `catalog`.

A document is question, empty line, solution (or a plain text), as the paper's own scripts make it: no template, no
start token; the end token is added by tokenising. Differs from the authors' scripts in that bad rows are counted and
reported, and that what is read is fixed by name: OpenMathInstruct-1's correct solutions, OpenMathInstruct-2's `train`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from echochamber.corpora import reading
from echochamber.corpora.catalog import CORPORA
from echochamber.corpora.documents import BadRow, Document, flaw
from echochamber.job import UserError
from echochamber.settings import HubQuestions, HubSource, HubTokenizer

HUB = "hf://datasets/"


def documents(
    settings: HubSource, source: str, data: str, part: int = 0, parts: int = 1
) -> Iterator[Document | BadRow]:
    """The documents of one part of a source, in the order of its files.

    Args:
        data: the grid's folder of downloads.
    """
    corpus = CORPORA[settings.dataset]
    files = data_files(settings, f"corpora.{source}", corpus.repository, corpus.patterns, data)
    for number, row in enumerate(reading.rows(files, corpus.columns, part, parts), 1):
        yield row if isinstance(row, BadRow) else document(row, corpus.columns, source, settings.longest, number)


def document(row: dict, columns: tuple[str, ...], source: str, longest: int, number: int = 0) -> Document | BadRow:
    """One row as a document; `number` is its place, for people."""
    for column in columns:
        if wrong := flaw(row.get(column)):
            return BadRow(wrong, f"row {number}, {column}")
    text = "\n\n".join(row[column] for column in columns)
    return BadRow("too long", f"row {number}") if len(text) > longest else Document(text, source)


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
        UserError: there are none; `key` is the source's place in the grid file.
    """
    place, reason = root(settings, repository, data), "nothing there"
    try:
        found = reading.find(place, patterns)
    except Exception as error:  # whatever the network, or a library that speaks with it, makes of it
        found, reason = [], f"{type(error).__name__}: {' '.join(str(error).split())[:150]}"
    if not found:
        raise UserError(missing(key, place, reason, repository, patterns, data))
    return found


def missing(key: str, place: str, reason: str, repository: str, patterns: tuple[str, ...], data: str) -> str:
    """One line: what was not found, and how to get it."""
    return (
        f"{key}: found no {patterns[0]} in {place} ({reason}), allowed: `snakemake download` where there is network "
        f"(it fills {data}/{repository}), or {key}.path: a folder or mirror that has it"
    )


def missing_tokenizer(settings: HubTokenizer, data: str) -> str:
    """The same for the tokenizer."""
    return (
        f"tokenizer.path: found no folder {settings.path} or {data}/{settings.path}, nor a repository of that name on "
        "the hub, allowed: a folder with tokenizer.json, or a repository that has it (`snakemake download` fetches it)"
    )
