"""What a model is given, token by token: for people, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from echochamber.corpora.documents import Question
from echochamber.corpora.sources import read_questions
from echochamber.errors import UserError
from echochamber.grid.expansion import Grid
from echochamber.grid.ids import Model
from echochamber.models import imported
from echochamber.models.generation_defaults import end_tokens
from echochamber.sampling.prompts import encode_questions
from echochamber.settings import Benchmark, Prompts


def shown(grid: Grid) -> Iterator[str]:
    """The prompt of the first question of every prompt set and benchmark of a study, for each of its models.

    Models that are trained here share a tokenizer, and are one.
    """
    seen: set[tuple[str, str]] = set()
    for study in grid.file.studies.values():
        asked: list[tuple[str, str, Prompts | Benchmark]] = []
        asked += [(f"prompts.{name}", "train", grid.file.prompts[name]) for name in study.prompts]
        asked += [(f"benchmarks.{name}", "test", grid.file.benchmarks[name]) for name in study.benchmarks]
        for model in grid.study_models(study):
            name = f"models.{model.imported}" if model.imported else "models that are trained here"
            for key, split, form in asked:
                if (name, key) not in seen:
                    seen.add((name, key))
                    yield f"{key}, {name}"
                    yield from _prompt(grid, model, split, form)


def _prompt(grid: Grid, model: Model, split: str, form: Prompts | Benchmark) -> Iterator[str]:
    tokenizer, ends = _tokenizer(grid, model)
    questions = read_questions(grid.paths.questions(form.questions, split))
    examples: list[Question] = []
    if form.examples:
        examples = read_questions(grid.paths.questions(form.questions, "train"))
    (ids,) = encode_questions(tokenizer, questions[:1], form, examples)
    yield from token_lines(tokenizer, ids)
    names = " ".join(repr(tokenizer.convert_ids_to_tokens(end)) for end in ends)
    yield f"{len(ids)} tokens of {questions[0].question_id}; a completion ends with {names}\n"


def token_lines(tokenizer: Any, ids: list[int]) -> Iterator[str]:
    """A line for each token: its id, the text that it stands for, and `special` where it is a special token."""
    for token in ids:
        text = repr(tokenizer.decode([token], clean_up_tokenization_spaces=False))
        special = "  special" if token in tokenizer.all_special_ids or _added(tokenizer, token) else ""
        yield f"{token:>8}  {text}{special}"


def _added(tokenizer: Any, token: int) -> bool:
    added = tokenizer.added_tokens_decoder.get(token)
    return bool(added and added.special)


def _tokenizer(grid: Grid, model: Model) -> tuple[Any, tuple[int, ...]]:
    """A model's tokenizer, and all tokens that end a completion, without its weights."""
    from transformers import AutoTokenizer, GenerationConfig

    if not model.imported:
        tokenizer = AutoTokenizer.from_pretrained(grid.paths.tokenizer, trust_remote_code=False)
        return tokenizer, (tokenizer.eos_token_id,)
    settings = grid.file.models[model.imported]
    folder: Path | str = imported.here(settings.path, grid.file.data) or settings.path
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, revision=settings.revision, trust_remote_code=False)
    except Exception as error:  # whatever the network, or a library that speaks with it, makes of it
        line = imported.missing(f"models.{model.imported}", settings.path, grid.file.data, type(error).__name__)
        raise UserError(line) from None
    try:
        generation = GenerationConfig.from_pretrained(folder, revision=settings.revision)
    except OSError:  # it has none
        generation = None
    return tokenizer, end_tokens(tokenizer, generation)
