"""A source is a function that yields documents, a question set one that yields questions; this picks it by its kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

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


def questions(question_set: QuestionSet, name: str, split: str, data: str, solutions: bool = False) -> list[Question]:
    """One split of a question set, from its settings; `solutions`: with worked ones."""
    if question_set.kind != "synthetic":
        return question_sets.questions(question_set, name, split, data, solutions)
    return synthetic.questions(question_set, name, split)


def question_row(question: Question) -> dict[str, Any]:
    """A question as a line of `questions/<set>/<split>.jsonl`: with a solution only where there is one."""
    row = asdict(question)
    return {key: value for key, value in row.items() if key != "solution" or value is not None}


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
