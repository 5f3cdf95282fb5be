"""A source is a function that yields documents, a question set one that yields questions; this picks it by its kind."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from echochamber import files
from echochamber.corpora import hub, question_sets, synthetic
from echochamber.corpora.documents import BadRow, Document, Question
from echochamber.settings import QuestionSet, Source


def documents(
    settings: dict[str, Any], name: str, data: str, part: int = 0, parts: int = 1
) -> Iterator[Document | BadRow]:
    """The documents of a source, or one of the `parts` stretches that it is cut into.

    Args:
        settings: as a spec holds them.
        data: the folder of downloads.
    """
    source = TypeAdapter(Source).validate_python(settings)
    if source.kind == "hub":
        return hub.documents(source, name, data, part, parts)
    begin, end = (i * source.documents // parts for i in (part, part + 1))
    return islice(synthetic.documents(source, name), begin, end)


def questions(settings: dict[str, Any], name: str, split: str, data: str) -> list[Question]:
    """One split of a question set, from its settings as a spec holds them."""
    question_set = TypeAdapter(QuestionSet).validate_python(settings)
    if question_set.kind == "hub":
        return question_sets.questions(question_set, name, split, data)
    return synthetic.questions(question_set, name, split)


def read_questions(path: Path) -> list[Question]:
    """A split as `questions/<set>/<split>.jsonl` holds it."""
    return [Question(**row) for row in files.read_json_lines(path)]
