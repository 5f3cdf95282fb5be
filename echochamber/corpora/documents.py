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
class Question:
    """One question of a question set; all fields are JSON values."""

    question_id: str
    question: str
    """The bare question; a prompt is this and two line breaks."""
    answer: str
    """The gold answer, without units."""
    graph: dict | None
    """For synthetic questions the gold dependency graph (`problems.to_dict`), else none."""
