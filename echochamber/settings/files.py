"""Settings of texts that lie in files: public datasets by name, any repository of the hub, files of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveInt, model_validator

from echochamber.datasets import CORPORA, QUESTION_SETS, HubCorpus, QuestionColumns, split_files
from echochamber.schema import OneOf, Settings, Share

REPOSITORY = r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$"
Columns = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...],
    Field(min_length=1),
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
]
"""A column, or several."""
Place = Annotated[str, Field(min_length=1)]
"""A file, a folder or a glob; relative ones are looked for where Snakemake runs."""

OwnGold = Literal["number", "latex", "choice", "list", "after_hashes", "in_the_last_box"]
"""How a gold answer stands in its column.

`number`: an integer, a decimal or a fraction, as a number or as text. `latex`: an answer as it stands, LaTeX or not.
`choice`: the letter of an option, or its number from 0 on, or (with `options`) its text. `list`: several answers, each
of which is right. `after_hashes`: what follows the last `####` (GSM8K). `in_the_last_box`: what the last `\\boxed{}`
holds (MATH).
"""


class HubSource(Settings):
    """A corpus of the Hugging Face hub, a mirror or a folder laid out like one: one of the paper's, or any other."""

    kind: Literal["hub"]
    dataset: Annotated[str, OneOf(tuple(CORPORA))] | None = None
    """Which adapter of `echochamber.datasets` reads it. No adapter reads the test split of a benchmark. None: the
    `repository` is named."""
    path: str | None = None
    """A folder with the files, laid out as on the hub, or the URL of a mirror (`hf://datasets/owner/name`,
    `s3://...`); none: the grid's `data` folder if they are there, else the hub."""
    revision: str = "main"
    """Branch, tag or commit on the hub."""
    max_tokens: PositiveInt | None = None
    """Upper limit on the tokens to train on: the first documents that hold as many; none: all. Shares of a budget."""
    shards: PositiveInt = 1
    """Jobs that tokenise it; the tokens are the same for any number."""
    on_bad_row: Literal["error", "skip"] = "error"
    """What a row does that is no document (field missing, not text, empty, not UTF-8, not JSON, too long): end the job
    with its file and row, or be left out and counted in the manifest. A file that is cut off ends it in both cases."""
    bad_rows: Share = 0.01
    """With `skip`: share of rows that may be bad; more fail the job."""
    longest: PositiveInt = 1_000_000
    """Characters of a document; a longer one is a bad row."""
    repository: Annotated[str, Field(pattern=REPOSITORY)] | None = None
    """`owner/name` of any dataset of the hub, in place of `dataset`."""
    config: str | None = None
    """Of a repository: the folder of its configuration; none: `data/` or its root."""
    split: str = "train"
    """Of a repository: the split, or a pattern of its files (`web/*.parquet`)."""
    columns: Columns | None = None
    """Of a repository: a document is these columns, an empty line between them."""

    @model_validator(mode="after")
    def _one_of_both(self) -> HubSource:
        own = {"config": self.config, "columns": self.columns}
        for line in _dataset_or_repository(self.dataset, self.repository, own, "columns"):
            raise ValueError(line)
        if self.repository and self.split == "test":
            raise ValueError("split: found 'test', allowed: any other, since documents would give a benchmark away")
        return self

    @property
    def about(self) -> HubCorpus:
        """Repository, files and columns."""
        if self.dataset:
            return CORPORA[self.dataset]
        return HubCorpus(self.repository or "", split_files(self.config, self.split), self.columns or (), "its own")


class LocalSource(Settings):
    """Documents of one's own: JSON lines, a JSON list, CSV (all three also as .gz or .zst) or Parquet."""

    kind: Literal["local"]
    path: Place
    columns: Columns = ("text",)
    """A document is these columns, an empty line between them: `[question, solution]`."""
    max_tokens: PositiveInt | None = None
    """This and what follows: as of the kind `hub`."""
    shards: PositiveInt = 1
    on_bad_row: Literal["error", "skip"] = "error"
    bad_rows: Share = 0.01
    longest: PositiveInt = 1_000_000


SPLITS = {name: known.splits for name, known in QUESTION_SETS.items()}
"""Splits of the public question sets that may be used: RL trains on `train`, benchmarks are `test`. MATH's own test
split is left to MATH-500, which is a part of it."""


class HubQuestions(Settings):
    """A question set of the Hugging Face hub, a mirror or a local folder: a public benchmark, or any other."""

    kind: Literal["hub"]
    dataset: Annotated[str, OneOf(tuple(QUESTION_SETS))] | None = None
    """Which adapter of `echochamber.datasets` reads it; none: the `repository` is named."""
    path: str | None = None
    """As of a corpus."""
    revision: str = "main"
    repository: Annotated[str, Field(pattern=REPOSITORY)] | None = None
    """`owner/name` of any dataset of the hub, in place of `dataset`."""
    config: str | None = None
    """Of a repository: the folder of its configuration; none: `data/` or its root."""
    train: str | None = None
    """Of a repository: the split that RL trains on, or a pattern of its files; none: there is none."""
    test: str | None = None
    """Of a repository: the split that benchmarks ask."""
    question: Columns | None = None
    """Of a repository: the columns of the question, joined by a space."""
    answer: str | None = None
    """Of a repository: the column of the gold answer."""
    answers: OwnGold = "latex"
    """Of a repository: how the gold answer stands there."""
    options: str | None = None
    """Of a repository, with `answers: choice`: the column with the list of options, which are added to the question."""
    solution: str | None = None
    """Of a repository: the column of a worked solution, for few-shot examples."""

    @model_validator(mode="after")
    def _one_of_both(self) -> HubQuestions:
        own = {
            key: getattr(self, key) for key in ("config", "train", "test", "question", "answer", "options", "solution")
        }
        for line in _dataset_or_repository(self.dataset, self.repository, own, "question", "answer"):
            raise ValueError(line)
        if self.repository:
            _refuse_splits(self.train, self.test, self.answers, self.options)
        return self

    @property
    def splits(self) -> tuple[str, ...]:
        """Those that there are."""
        if self.dataset:
            return SPLITS[self.dataset]
        return tuple(split for split in ("train", "test") if getattr(self, split))

    @property
    def where(self) -> tuple[str, dict[str, tuple[str, ...]]]:
        """The repository, and the patterns of the files of each split."""
        if self.dataset:
            known = QUESTION_SETS[self.dataset]
            return known.repository, known.patterns
        patterns = {split: split_files(self.config, getattr(self, split)) for split in self.splits}
        return self.repository or "", patterns

    @property
    def columns(self) -> QuestionColumns:
        if self.dataset:
            return QUESTION_SETS[self.dataset].columns
        return QuestionColumns((self.question or (),), (self.answer or "",), self.answers, self.options, self.solution)


class LocalQuestions(Settings):
    """Questions of one's own: JSON lines, a JSON list, CSV (all three also as .gz or .zst) or Parquet."""

    kind: Literal["local"]
    train: Place | None = None
    """What RL trains on; none: there is none."""
    test: Place | None = None
    """What benchmarks ask."""
    question: Columns = ("question",)
    """The columns of the question, joined by a space."""
    answer: str = "answer"
    """The column of the gold answer."""
    answers: OwnGold = "latex"
    """How the gold answer stands there."""
    options: str | None = None
    """With `answers: choice`: the column with the list of options, which are added to the question; none: the question
    states them."""
    solution: str | None = None
    """The column of a worked solution, for few-shot examples."""

    @model_validator(mode="after")
    def _splits(self) -> LocalQuestions:
        _refuse_splits(self.train, self.test, self.answers, self.options)
        return self

    @property
    def splits(self) -> tuple[str, ...]:
        """Those that there are."""
        return tuple(split for split in ("train", "test") if getattr(self, split))

    @property
    def columns(self) -> QuestionColumns:
        return QuestionColumns((self.question,), (self.answer,), self.answers, self.options, self.solution)


def _dataset_or_repository(
    dataset: str | None, repository: str | None, own: Mapping[str, object], *needed: str
) -> list[str]:
    """What is wrong with naming a public set or a repository.

    Args:
        own: settings of a repository alone.
        needed: those that it must have.
    """
    if bool(dataset) == bool(repository):
        both = "both" if dataset else "neither"
        return [f"dataset, repository: found {both}, allowed: one of them"]
    if dataset:
        return [f"{key}: found {value!r}, allowed with `repository` only" for key, value in own.items() if value]
    return [f"{key}: found nothing, allowed: columns of {repository}" for key in needed if not own[key]]


def _refuse_splits(train: str | None, test: str | None, answers: str, options: str | None) -> None:
    """Raises ValueError where there is nothing to ask, or RL would train on what is measured."""
    if not train and not test:
        raise ValueError("train, test: found neither, allowed: at least one of them")
    if train == test:
        raise ValueError(f"train: found {train!r}, which is test too, allowed: other questions than benchmarks ask")
    if train == "test":
        raise ValueError("train: found 'test', allowed: a split that is no test split")
    if options and answers != "choice":
        raise ValueError(f"options: found {options!r} with answers: {answers}, allowed with answers: choice only")
