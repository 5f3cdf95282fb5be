"""A way to tell completions apart: each bears exactly one label of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

YES, NO = "yes", "no"


@dataclass(frozen=True)
class Partition:
    """Labels of which a completion bears one."""

    labels: tuple[str, ...]
    label: Callable[[str], str] | None
    """Text of a completion -> one of `labels`; None: they are quarters of the base model's lengths, shortest first."""
    mark: str | None = None
    """The name of a mark, whose labels are `yes` and `no`; None: labels that have names of their own."""


def of_labels(tests: Mapping[str, Callable[[str], bool]], rest: str) -> Partition:
    """The first label whose test holds, else `rest`."""

    def label(text: str) -> str:
        return next((name for name, holds in tests.items() if holds(text)), rest)

    return Partition((*tests, rest), label)


def of_marks(tests: Mapping[str, Callable[[str], bool]]) -> tuple[Partition, ...]:
    """A partition into yes and no for each mark: a completion may bear several marks."""

    def of_one(name: str, holds: Callable[[str], bool]) -> Partition:
        return Partition((YES, NO), lambda text: YES if holds(text) else NO, name)

    return tuple(of_one(name, holds) for name, holds in tests.items())
