"""A source is a function that yields documents, a question set one that yields questions; this picks it by its kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from echochamber import files
from echochamber.corpora import synthetic
from echochamber.corpora.documents import Document, Question
from echochamber.job import UserError
from echochamber.settings import QuestionSet, Source


def documents(settings: dict[str, Any], name: str) -> Iterator[Document]:
    """The documents of a source, from its settings as a spec holds them."""
    source = TypeAdapter(Source).validate_python(settings)
    if source.kind == "hub":
        raise UserError(f"corpora.{name}.kind: found hub, which this version can only plan, allowed: synthetic")
    return synthetic.documents(source, name)


def questions(settings: dict[str, Any], name: str, split: str) -> list[Question]:
    """One split of a question set, from its settings as a spec holds them."""
    question_set = TypeAdapter(QuestionSet).validate_python(settings)
    if question_set.kind == "hub":
        raise UserError(f"question_sets.{name}.kind: found hub, which this version can only plan, allowed: synthetic")
    return synthetic.questions(question_set, name, split)


def read_questions(path: Path) -> list[Question]:
    """A split as `questions/<set>/<split>.jsonl` holds it."""
    return [Question(**row) for row in files.read_json_lines(path)]
