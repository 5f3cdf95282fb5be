"""A source is a function that yields documents, a question set one that yields questions; this picks it by its kind."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from echochamber.corpora import document_sets, question_sets, synthetic
from echochamber.corpora.documents import BadRow, Document, Question
from echochamber.errors import UserError
from echochamber.jobs import files
from echochamber.settings import QuestionSet, Source


def documents(source: Source, name: str, data: str, part: int = 0, parts: int = 1) -> Iterator[Document | BadRow]:
    """The documents of a source, or one of the `parts` stretches that it is cut into.

    Args:
        data: the folder of downloads.
    """
    if source.kind != "synthetic":
        return document_sets.documents(source, name, data, part, parts)
    begin, end = (i * source.documents // parts for i in (part, part + 1))
    return islice(synthetic.documents(source, name), begin, end)


def questions(question_set: QuestionSet, name: str, split: str, data: str) -> list[Question]:
    """One split of a question set, from its settings."""
    if question_set.kind != "synthetic":
        return question_sets.questions(question_set, name, split, data)
    return synthetic.questions(question_set, name, split)


def read_questions(path: Path, count: int | None = None) -> list[Question]:
    """A split as `questions/<set>/<split>.jsonl` holds it; `count`: the first so many.

    Raises:
        UserError: there are fewer.
    """
    questions = [Question(**row) for row in files.read_json_lines(path)]
    if count is not None and count > len(questions):
        raise UserError(
            f"{path}: found {len(questions)} questions, allowed: at least the {count} that `count` asks for"
        )
    return questions[:count]
