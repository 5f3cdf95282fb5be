"""Settings of the text: corpora, question sets, tokenizer, mixtures."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from echochamber.settings.base import Name, Seed, Settings, Share

OPERATIONS = ("more", "fewer", "times", "fraction", "buy", "give", "share", "total")
"""The kinds of step that a synthetic question is made of."""

MAX_STEPS = 7
"""The largest number of steps: each may name one more person, and names are few, so that small models learn them."""


class Problems(Settings):
    """A distribution over synthetic grade-school questions."""

    family: Literal["gsm", "math"] = "gsm"
    """`gsm`: chains over everyday things. `math`: other graph shapes, entities and templates (the transfer task)."""
    steps: tuple[PositiveInt, PositiveInt] = (1, 2)
    """Smallest and largest number of operations; at most 7."""
    numbers: tuple[PositiveInt, PositiveInt] = (2, 20)
    """Smallest and largest amount that a question states. Factors and parts are 2 to 5, and no quantity exceeds 5 times
    the largest amount (10 times for the final total of `math`)."""
    operations: tuple[Literal[OPERATIONS], ...] = OPERATIONS
    """The kinds of step that occur."""

    @model_validator(mode="after")
    def _ordered(self) -> Problems:
        for key in ("steps", "numbers"):
            low, high = getattr(self, key)
            if low > high:
                raise ValueError(f"{key}: found [{low}, {high}], allowed: smallest first")
        if not self.operations or len(set(self.operations)) != len(self.operations):
            raise ValueError("operations: allowed: at least one, each once")
        if self.steps[1] > MAX_STEPS:
            raise ValueError(f"steps: found {list(self.steps)}, allowed: at most {MAX_STEPS}")
        if self.family == "math" and "total" not in self.operations:
            raise ValueError(f"operations: found {list(self.operations)}, allowed with family math: total among them")
        return self


class SyntheticSource(Settings):
    """Documents of the embedded world, in one of the three true surface forms, as plain prose, or background."""

    kind: Literal["synthetic"]
    style: Literal["tinygsm", "omi1", "omi2", "text", "arithmetic_prose", "small_code"]
    """The surface form; the last two are background: no question, no final answer."""
    documents: PositiveInt
    max_tokens: PositiveInt | None = None
    """Upper limit on the tokens to train on: the first documents that hold as many; none: all."""
    seed: Seed = 0
    problems: Problems = Problems()
    wrong: Share = 0.0
    """Share of documents with a random error in the solution (TinyGSM was never verified)."""
    systematic: tuple[Literal[OPERATIONS], ...] = ()
    """Operations that this source always gets wrong in the same way: a ceiling that scale cannot lift."""
    triple_double_quotes: Share = 0.5
    '''Share of `tinygsm` docstrings in """ rather than in three single quotes.'''
    comments: Share = 0.5
    """Share of `tinygsm` and `omi1` programs with comments."""
    twin: Share = 0.5
    """Share of documents in the neutral twin of the style: other words, same content, same accuracy."""
    shards: PositiveInt = 1
    """Jobs that tokenise it; the tokens are the same for any number."""

    @model_validator(mode="after")
    def _background_has_no_answers(self) -> SyntheticSource:
        if self.style in ("arithmetic_prose", "small_code") and (self.wrong or self.systematic):
            raise ValueError(f"wrong, systematic: {self.style} documents have no answer that could be wrong")
        return self


class HubSource(Settings):
    """One of the paper's corpora, from the Hugging Face hub, a mirror or a local folder."""

    kind: Literal["hub"]
    dataset: Literal[
        "finemath-3plus",
        "algebraic-stack",
        "tinygsm",
        "openmathinstruct-1",
        "openmathinstruct-2",
        "metamathqa",
        "gsm8k-train",
    ]
    """Which adapter of `echochamber.corpora.catalog` reads it. No adapter reads the test split of a benchmark."""
    path: str | None = None
    """A folder with the files, laid out as on the hub, or the URL of a mirror (`hf://datasets/owner/name`,
    `s3://...`); none: the grid's `data` folder if they are there, else the hub."""
    revision: str = "main"
    """Branch, tag or commit on the hub."""
    max_tokens: PositiveInt | None = None
    """Upper limit on the tokens to train on: the first documents that hold as many; none: all. Shares of a budget."""
    shards: PositiveInt = 1
    """Jobs that tokenise it; the tokens are the same for any number."""
    bad_rows: Share = 0.01
    """Share of rows that may be unusable (field missing, not text, empty, not UTF-8, too long); more fail the job."""
    longest: PositiveInt = 1_000_000
    """Characters of a document; a longer one is a bad row."""


Source = Annotated[SyntheticSource | HubSource, Field(discriminator="kind")]


class SyntheticQuestions(Settings):
    """A question set of the embedded world. Its splits share no canonical graph with each other or with a corpus."""

    kind: Literal["synthetic"]
    train: Annotated[int, Field(ge=0)]
    """Questions in the train split (RL prompts); 0: there is none."""
    test: PositiveInt
    seed: Seed = 0
    problems: Problems = Problems()


SPLITS = {
    "gsm8k": ("train", "test"),
    "math": ("train",),
    "math-500": ("test",),
    "aime-1983-2024": ("test",),
    "aime-2022-2024": ("test",),
    "svamp": ("train", "test"),
}
"""Splits of the public question sets that may be used: RL trains on `train`, benchmarks are `test`. MATH's own test
split is left to MATH-500, which is a part of it."""


class HubQuestions(Settings):
    """A public benchmark, from the Hugging Face hub, a mirror or a local folder."""

    kind: Literal["hub"]
    dataset: Literal["gsm8k", "math", "math-500", "aime-1983-2024", "aime-2022-2024", "svamp"]
    path: str | None = None
    """As of a corpus."""
    revision: str = "main"


QuestionSet = Annotated[SyntheticQuestions | HubQuestions, Field(discriminator="kind")]


class BpeTokenizer(Settings):
    """Byte-level BPE trained on documents of the grid's own sources; every digit is a token of its own."""

    kind: Literal["bpe"]
    vocabulary: Annotated[int, Field(ge=300, le=65536)]
    """Upper limit on the number of tokens, the 256 bytes and the special ones included."""
    documents_per_source: PositiveInt = 2000
    sources: tuple[Name, ...] = ()
    """The sources to train on; none: all of the grid's corpora."""


class HubTokenizer(Settings):
    """A ready tokenizer from a local folder, or from the hub: Llama-2's own is gated there, so this names a mirror."""

    kind: Literal["hub"]
    path: str
    """A folder, or the id of a repository on the hub."""
    revision: str = "main"
    vocabulary: PositiveInt = 32000
    """What it must have; another one is refused."""
    end: str = "</s>"
    """The end token that it must have, with id 2."""


Tokenizer = Annotated[BpeTokenizer | HubTokenizer, Field(discriminator="kind")]


class Mixture(Settings):
    """Passes over each source: 4 means that every document is seen four times."""

    passes: dict[Name, PositiveInt] = Field(min_length=1)
    background: bool = True
    """Add one pass over each source named under the grid's `background`."""
