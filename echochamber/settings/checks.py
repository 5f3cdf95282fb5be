"""What no single setting can tell: sizes that contradict each other, and names that no file system holds.

Each check is a function of the settings it compares; it yields one line per mistake.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from echochamber.errors import shortened
from echochamber.settings.files import SPLITS, HubQuestions, LocalQuestions

if TYPE_CHECKING:
    from echochamber.settings.grid_file import Benchmark, Prompts, Study
    from echochamber.settings.training import ImportedModel, Pretraining
    from echochamber.settings.world import QuestionSet, Source

LONGEST_ID = 200
"""Characters of the names of a run together; file systems hold 255 bytes, and the id adds seeds to the names."""


def case_twins(key: str, names: Iterable[str]) -> Iterator[str]:
    """Names that are one on a file system that does not tell upper case from lower case."""
    seen: dict[str, str] = {}
    for name in names:
        twin = seen.setdefault(name.lower(), name)
        if twin != name:
            yield f"{key}: found {name!r} beside {twin!r}, allowed: names that differ by more than case"


def twins_of_models(name: str, study: Study, models: Mapping[str, ImportedModel]) -> Iterator[str]:
    """Imported models whose runs figures and claims could not tell from those of another model of the study."""
    if not study.algorithms:
        return  # base models alone are told apart by their ids
    seen = {(mixture, scale): "trains" for mixture in study.mixtures for scale in study.scales}
    for model in study.models:
        key = (models[model].mixture or model, models[model].scale or "imported")
        if key in seen:
            yield (
                f"studies.{name}.models: found {model} (mixture {key[0]}, scale {key[1]}), which the study {seen[key]} "
                "too, allowed: one of each mixture and scale in a study"
            )
        seen[key] = f"has as {model}"


def long_names(key: str, axes: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """Names that are too long together, the longest of each axis."""
    longest = [max(names, key=len, default="") for names in axes.values()]
    total = sum(len(name) for name in longest)
    if total > LONGEST_ID:
        yield f"{key}: found names of {total} characters together, allowed: up to {LONGEST_ID} ({', '.join(axes)})"


def prompts_in_batch(key: str, batch: int | None, questions: int | None, name: str) -> Iterator[str]:
    """A batch of more prompts than there are; None: unknown."""
    if batch is not None and questions is not None and batch > questions:
        yield f"{key}: found {batch}, allowed: up to the {questions} of prompts.{name}"


def held_out(key: str, held: int, documents: int | None) -> Iterator[str]:
    """More documents held out than leave one to train on; None: unknown."""
    if documents is not None and held >= documents:
        yield f"pretraining.held_out_documents: found {held}, allowed: fewer than the {documents} of {key}.documents"


def new_tokens(key: str, tokens: int, context: int) -> Iterator[str]:
    """Completions longer than the context of the models of the grid."""
    if tokens > context:
        yield f"{key}.max_new_tokens: found {tokens}, allowed: up to pretraining.sequence_length, {context}"


def steps(key: str, step: int, most: float | None) -> Iterator[str]:
    """A step beyond the end of pretraining; `most`: the largest number of steps that it can have, None: unknown."""
    if most is not None and step > most:
        yield f"{key}: found {step}, allowed: up to {int(most)}, the most steps that the documents of the mixture give"


def most_steps(passes: Mapping[str, float], sources: Mapping[str, Source], pretraining: Pretraining) -> float | None:
    """An upper limit on the steps of pretraining on a mixture, before anything is tokenised; None: there is none.

    Whole documents: each row holds at least one. Concatenated ones: no more tokens than `max_tokens`.
    """
    rows = 0.0
    for name, times in passes.items():
        documents, tokens = getattr(sources[name], "documents", None), sources[name].max_tokens
        if pretraining.packing == "document":
            if documents is None:
                return None
            rows += times * max(documents - pretraining.held_out_documents, 0)
        else:
            if tokens is None:
                return None
            rows += times * tokens / pretraining.sequence_length
    return rows / pretraining.batch_rows


def plain_text(key: str, text: str, longest: int) -> Iterator[str]:
    """A text for figures and reports that they could not show as it is."""
    if len(text) > longest or not text.isprintable() or "$" in text:
        allowed = f"up to {longest} printable characters in one line, without $, which figures read as a formula"
        yield f"{key}: found {shortened(text)}, allowed: {allowed}"


def split_of(key: str, name: str, questions: HubQuestions | LocalQuestions, split: str) -> Iterator[str]:
    """A question set of files without the split that is asked for."""
    if split in questions.splits:
        return
    if isinstance(questions, HubQuestions) and questions.dataset:
        allowed = ", ".join(dataset for dataset, splits in SPLITS.items() if split in splits)
        yield (
            f"{key}.questions: found {name} ({questions.dataset}), which has no {split} split, allowed: a question set "
            f"of {allowed}"
        )
    else:
        yield f"{key}.questions: found {name}, which has no {split} split, allowed: with question_sets.{name}.{split}"


def _overlap(path: str, other: str) -> bool:
    """Whether two paths, folders or globs may name the same file, however they are written."""
    pairs = [(os.path.abspath(one), os.path.abspath(two)) for one, two in ((path, other), (other, path))]
    return any(one == two or two.startswith(f"{one}{os.sep}") or fnmatch(two, one) for one, two in pairs)


def given_away(corpora: Mapping[str, Source], question_sets: Mapping[str, QuestionSet]) -> Iterator[str]:
    """Corpora whose files are the test split of a question set. What single documents give away, contents say."""
    local = {name: questions.test for name, questions in question_sets.items() if questions.kind == "local"}
    for name, source in corpora.items():
        for asked, test in local.items():
            if source.kind == "local" and test and _overlap(source.path, test):
                yield (
                    f"corpora.{name}.path: found {source.path!r}, which holds question_sets.{asked}.test ({test!r}), "
                    "allowed: other files than benchmarks ask"
                )


def examples(key: str, form: Prompts | Benchmark, questions: QuestionSet) -> Iterator[str]:
    """Few-shot examples of a question set without them."""
    if form.examples is None:
        return
    has_train = questions.train if questions.kind == "synthetic" else "train" in questions.splits
    if not has_train:
        yield f"{key}.examples: found {form.questions}, which has no train split, allowed: a question set that has one"
    solved = questions.kind != "synthetic" and questions.columns.solution
    if "{solution}" in form.examples.answer and not solved:
        allowed = "{answer}, or a question set with a column `solution`"
        yield f"{key}.examples.answer: found {{solution}} with {form.questions}, allowed: {allowed}"


def chat(key: str, study: Study, form: Prompts | Benchmark) -> Iterator[str]:
    """A chat template of models that are trained here, whose tokenizer has none."""
    if form.chat and study.mixtures:
        yield (
            f"{key}: found a prompt with chat ({form.questions}) beside mixtures, allowed: imported models alone, "
            "since those that are trained here have no chat template"
        )
