"""Settings of the text: corpora, question sets, tokenizer, mixtures."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from echochamber.formats import RENDERED
from echochamber.schema import Name, OneOf, Seed, Settings, Share
from echochamber.settings.files import HubQuestions, HubSource, LocalQuestions, LocalSource

OPERATIONS = ("more", "fewer", "times", "fraction", "buy", "give", "share", "total")
"""The kinds of step that a synthetic question is made of."""

THINGS = {"gsm": ("pens", "cards", "coins", "books", "toys", "cups"), "math": ("beads", "nuts", "keys", "stamps")}
"""What the questions of each family count."""

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
    operations: tuple[Annotated[str, OneOf(OPERATIONS)], ...] = OPERATIONS
    """The kinds of step that occur."""
    things: tuple[str, ...] = ()
    """What the questions count; none: all of the family. Questions that are alike but for their things let a format be
    practised away from the questions that are asked: what a model learns about adding pens serves it with books, while
    how often books are answered in that format is a matter of the documents on books alone."""

    @model_validator(mode="after")
    def _things_of_the_family(self) -> Problems:
        allowed = THINGS[self.family]
        unknown = [thing for thing in self.things if thing not in allowed]
        if unknown or len(set(self.things)) != len(self.things):
            names = ", ".join(allowed)
            raise ValueError(
                f"things: found {list(self.things)}, allowed with family {self.family}: {names}, each once"
            )
        return self

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
    style: Annotated[str, OneOf((*RENDERED, "arithmetic_prose", "small_code"))]
    """The surface form; the last two are background: no question, no final answer."""
    documents: PositiveInt
    max_tokens: PositiveInt | None = None
    """Upper limit on the tokens to train on: the first documents that hold as many; none: all."""
    seed: Seed = 0
    problems: Problems = Problems()
    wrong: Share = 0.0
    """Share of documents with a random error in the solution (TinyGSM was never verified)."""
    systematic: tuple[Annotated[str, OneOf(OPERATIONS)], ...] = ()
    """Operations that this source always gets wrong in the same way: a ceiling that scale cannot lift."""
    systematic_in: Literal["all", "double_quotes"] = "all"
    """Which documents those errors stand in; `double_quotes`: only `tinygsm` ones whose docstring has such quotes. Then
    the other quotes are the style that is right more often, and the neutral twin is as right as its counterpart."""
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
        if self.systematic_in == "double_quotes" and (self.style != "tinygsm" or not self.systematic):
            raise ValueError(
                "systematic_in: found double_quotes, allowed with style tinygsm and systematic errors only"
            )
        return self


Source = Annotated[SyntheticSource | HubSource | LocalSource, Field(discriminator="kind")]


class SyntheticQuestions(Settings):
    """A question set of the embedded world. Its splits share no canonical graph with each other or with a corpus."""

    kind: Literal["synthetic"]
    train: Annotated[int, Field(ge=0)]
    """Questions in the train split (RL prompts); 0: there is none."""
    test: PositiveInt
    seed: Seed = 0
    problems: Problems = Problems()


QuestionSet = Annotated[SyntheticQuestions | HubQuestions | LocalQuestions, Field(discriminator="kind")]


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
    """Passes over each source: 4 means that every document is seen four times, 0.5 that the first half is seen once."""

    passes: dict[Name, PositiveInt | PositiveFloat] = Field(min_length=1)
    background: bool = True
    """Add one pass over each source named under the grid's `background`."""
