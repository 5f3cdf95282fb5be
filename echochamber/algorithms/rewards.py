"""Settings of rewards: a name, or one with settings of its own, or a weighted sum of several (docs/rewards.md)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    PositiveFloat,
    PositiveInt,
    Tag,
    field_validator,
    model_validator,
)

from echochamber import own_function
from echochamber.errors import shortened
from echochamber.formats import FORMATS, RULES
from echochamber.schema import Name, Settings

CONTROLS = ("random", "boxed", "majority-vote", "wrong-label")
"""Rewards that do not ask whether an answer is right, beside `format:F`."""
RENAMED = {
    name: "executed (the value of a notebook's last closed block) or written (its box)"
    for name in ("correct", "strict")
}
"""The rule of earlier versions took the box, and the code where no box could be read."""
KINDS = ("exact", "choice", "regex", "length", "function", "mixture")


def _known(value: str) -> str:
    allowed = (*RULES, *CONTROLS, *(f"format:{name}" for name in FORMATS))
    if value in RENAMED:
        raise ValueError(f"found {value!r}, allowed: {RENAMED[value]}; all: {', '.join(allowed)}")
    if value in KINDS:
        raise ValueError(f"found {value!r}, allowed: a mapping with `kind: {value}`, or a name: {', '.join(allowed)}")
    if value not in allowed:
        raise ValueError(
            f"found {value!r}, allowed: {', '.join(allowed)}, or a mapping with `kind`: {', '.join(KINDS)}"
        )
    return value


class ExactReward(Settings):
    """1 for an answer that is a gold, character by character (blank space around it aside)."""

    kind: Literal["exact"]
    ignore_case: bool = False


class ChoiceReward(Settings):
    """1 for an answer that begins with the letter of the right option: `B`, `(b)`, `B) 12 pens`, `**B**`."""

    kind: Literal["choice"]


class RegexReward(Settings):
    """1 for a completion in which the pattern is found. With a group `answer`, only where that is a gold, character by
    character. The pattern is yours: one that takes exponential time takes it."""

    kind: Literal["regex"]
    pattern: str

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"found {shortened(value)} ({error}), allowed: a pattern of Python's re") from None
        return value


class LengthReward(Settings):
    """A penalty: 0 up to `free` tokens, from there in a straight line to -1 at `full` tokens and beyond."""

    kind: Literal["length"]
    free: Annotated[int, Field(ge=0)] = 0
    full: PositiveInt

    @model_validator(mode="after")
    def _grows(self) -> LengthReward:
        if self.free >= self.full:
            raise ValueError(f"free: found {self.free}, allowed: less than full, {self.full}")
        return self


class FunctionReward(Settings):
    """What a function of yours returns, a number: `function(question, completion, golds)`, two texts and a list of
    texts. It is trusted, and runs in a process of its own; its module is found from the folder that Snakemake is
    started in. An error, or more than `seconds` for a completion, ends the run in one line."""

    kind: Literal["function"]
    name: str
    """`module:function`."""
    seconds: PositiveFloat = 10.0
    sha256: str = ""
    """Of the module's file; filled in when the grid is read, so that a changed file runs again."""

    @model_validator(mode="before")
    @classmethod
    def _fixed(cls, settings: Any) -> Any:
        if isinstance(settings, dict) and isinstance(settings.get("name"), str):
            try:
                sha256 = own_function.fixed(settings["name"], settings.get("sha256"))
            except ValueError as error:
                raise ValueError(f"name: {error}") from None
            return settings | {"sha256": sha256}
        return settings


class Part(Settings):
    """Of a mixture."""

    weight: float = 1.0
    reward: PartReward


class MixtureReward(Settings):
    """The sum of its parts times their weights. Columns `part_<name>` of metrics.csv have the mean of each, before its
    weight."""

    kind: Literal["mixture"]
    parts: dict[Name, Part] = Field(min_length=1)


def _kind(value: Any) -> str | None:
    """Which reward it is."""
    if isinstance(value, str):
        return "name"
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return kind if isinstance(kind, str) else None


Named = Annotated[str, AfterValidator(_known)]
PartReward = Annotated[
    Annotated[Named, Tag("name")]
    | Annotated[ExactReward, Tag("exact")]
    | Annotated[ChoiceReward, Tag("choice")]
    | Annotated[RegexReward, Tag("regex")]
    | Annotated[LengthReward, Tag("length")]
    | Annotated[FunctionReward, Tag("function")],
    Discriminator(_kind),
]
"""What a mixture may be of: everything but a mixture."""
Reward = Annotated[
    Annotated[Named, Tag("name")]
    | Annotated[ExactReward, Tag("exact")]
    | Annotated[ChoiceReward, Tag("choice")]
    | Annotated[RegexReward, Tag("regex")]
    | Annotated[LengthReward, Tag("length")]
    | Annotated[FunctionReward, Tag("function")]
    | Annotated[MixtureReward, Tag("mixture")],
    Discriminator(_kind),
]
Part.model_rebuild()
MixtureReward.model_rebuild()


def in_words(reward: Any) -> str:
    """For reports and logs: its name, or its kind with what tells it from others of that kind."""
    if isinstance(reward, str):
        return reward
    if isinstance(reward, MixtureReward):
        return " + ".join(f"{part.weight:g} x {in_words(part.reward)}" for part in reward.parts.values())
    settings = reward.model_dump(exclude={"kind", "sha256"}, exclude_defaults=True)
    return " ".join([reward.kind, *(str(value) for value in settings.values())])


def parts(reward: Any) -> dict[str, Any]:
    """Name -> reward of each part of a mixture; none of others."""
    return {name: part.reward for name, part in reward.parts.items()} if isinstance(reward, MixtureReward) else {}
