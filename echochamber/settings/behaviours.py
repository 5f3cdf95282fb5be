"""Settings of behaviours: what a grid tells completions apart by, beside their formats."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from echochamber import own_function
from echochamber.behaviours import tests
from echochamber.behaviours.partition import Partition, of_labels, of_marks
from echochamber.behaviours.presets import PRESETS
from echochamber.errors import shortened
from echochamber.schema import OneOf, Settings

Label = Annotated[str, Field(pattern=r"^[^\W_][\w +.-]*$", max_length=40)]
"""Letters, digits, spaces and `_ + . -`, the first a letter or a digit."""
LONGEST = 2000
"""Characters of a pattern."""


class Holds(Settings):
    """A test that is a Python function: `module:function` is called with a completion and says True or False."""

    function: Annotated[str, Field(pattern=own_function.NAME, max_length=200)]
    """Your own code, run as it is: not in the sandbox of models' programs."""


Holding = Annotated[str, Field(min_length=1, max_length=LONGEST)] | Holds
"""A pattern, as Python's `re.search` takes it, or a function."""


class Behaviour(Settings):
    """A behaviour: one of `preset`, `labels` and `marks`."""

    preset: Annotated[str, OneOf(tuple(PRESETS))] | None = None
    """One that ships with the project (docs/behaviours.md)."""
    labels: dict[Label, Holding] = Field(default_factory=dict)
    """Label -> its test, in order: a completion bears the first label whose test holds."""
    rest: Label = "other"
    """The label where none holds."""
    marks: dict[Label, Holding] = Field(default_factory=dict)
    """Mark -> its test: a completion bears every mark whose test holds."""

    @field_validator("labels", "marks")
    @classmethod
    def _compiled(cls, named: dict[str, str | Holds]) -> dict[str, str | Holds]:
        for name, test in named.items():
            if isinstance(test, str):
                try:
                    re.compile(test)
                except (re.error, OverflowError, RecursionError) as error:
                    raise ValueError(f"{name}: found {shortened(test)} ({error}), allowed: a pattern") from None
        return named

    @model_validator(mode="after")
    def _one_way(self) -> Behaviour:
        given = [key for key in ("preset", "labels", "marks") if getattr(self, key)]
        if len(given) != 1:
            raise ValueError(f"found {' and '.join(given) or 'none'} of them, allowed: one of preset, labels, marks")
        if self.rest in self.labels:
            raise ValueError(f"labels: found {self.rest!r}, which is the rest, allowed: other names")
        if self.rest != "other" and not self.labels:
            raise ValueError(f"rest: found {self.rest!r} without labels, allowed: beside labels")
        return self

    def partitions(self) -> tuple[Partition, ...]:
        """How it tells completions apart: one way, or one for each mark."""
        if self.preset:
            return PRESETS[self.preset]
        if self.marks:
            return of_marks({name: _test(test) for name, test in self.marks.items()})
        return (of_labels({name: _test(test) for name, test in self.labels.items()}, self.rest),)

    def functions(self) -> dict[str, str]:
        """Where the behaviour names a function (`labels.x`) -> `module:function`."""
        tested = {"labels": self.labels, "marks": self.marks}
        return {
            f"{key}.{name}.function": test.function
            for key, of in tested.items()
            for name, test in of.items()
            if isinstance(test, Holds)
        }


def _test(test: str | Holds) -> tests.Test:
    return tests.Function(test.function) if isinstance(test, Holds) else tests.Pattern(test)
