"""What every source yields, synthetic or from the hub."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Document:
    """One text of a corpus, without an end token."""

    text: str
    """For question-and-answer sources: question, two line breaks, solution."""
    source: str
    """The source's name in the grid."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is no document."""

    reason: str
    """Why: `missing field`, `not text`, `empty`, `not UTF-8`, `not JSON`, `nested too deeply`, `more fields than
    columns` or `too long`."""
    location: str
    """File and row, for people."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a question set; all fields are JSON values."""

    question_id: str
    question: str
    """The bare question; a prompt is this and two line breaks."""
    answer: str
    """The gold answer, without units; of several that are right, `verify.answers.BETWEEN` each two."""
    graph: dict | None
    """For synthetic questions the gold dependency graph (`problems.to_dict`), else none."""
    solution: str | None = None
    """A worked solution, where examples for prompts are made of it."""


def flaw(text: object, longest: int | None = None) -> str | None:
    """Why `text` cannot be (a part of) a document, or None; `longest` in characters."""
    if text is None:
        return "missing field"
    if not isinstance(text, str):
        return "not text"
    if not text or text.isspace():
        return "empty"
    if longest is not None and len(text) > longest:
        return "too long"
    try:
        text.encode()  # half of a surrogate pair, written as an escape in JSON, is no character
    except UnicodeEncodeError:
        return "not UTF-8"
    return None
