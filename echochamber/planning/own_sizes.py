"""How large people's own texts are: looked at where they are here, before any job reads them. Imports no torch."""

from __future__ import annotations

from itertools import islice
from statistics import fmean

from echochamber.corpora import locations, reading, sizes, sources
from echochamber.corpora.documents import Document
from echochamber.errors import UserError
from echochamber.settings import HubQuestions, HubSource, LocalQuestions, LocalSource

EXAMPLES = 64
"""Documents that are read to see how long they are."""
PACKED = 3.0
"""Characters a byte of Parquet and of compressed files."""
GUESSED_TOKENS = 1e8
GUESSED_QUESTIONS = 1000
GUESSED_CHARACTERS = 250.0
"""Of a question. All three: of a repository that is not downloaded, and of files that are not there."""


def corpus(settings: HubSource | LocalSource, name: str, data: str, characters_per_token: float) -> sizes.Size | None:
    """Documents and tokens of a corpus by its bytes and its first documents; None: it is not here, or is damaged."""
    location = locations.of_source(name, settings)
    if location is None or "://" in location.root(data):
        return None
    try:
        files = location.files(data)
        first = list(islice(sources.documents(settings, name, data), EXAMPLES))
    except UserError:
        return None
    lengths = [len(document.text) for document in first if isinstance(document, Document)]
    if not lengths:
        return None
    characters = sum(file.size * (PACKED if file.url.endswith((".parquet", ".gz", ".zst")) else 1) for file in files)
    return sizes.Size(characters / fmean(lengths), characters / characters_per_token)


def questions(settings: HubQuestions | LocalQuestions, name: str, split: str, data: str) -> tuple[int, float] | None:
    """How many questions there are, and the characters of a mean one; None: they are not here, or one is wrong."""
    location = locations.of_questions(name, settings, split)
    if location is None or "://" in location.root(data):
        return None
    try:
        if not reading.find(location.root(data), location.patterns):
            return None
        asked = sources.questions(settings, name, split, data)
    except UserError:
        return None
    return len(asked), fmean(len(question.question) for question in asked)
