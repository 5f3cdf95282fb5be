"""What there is to say of a format of solutions."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Place = Literal["returned", "last_value", "box_after_code", "boxed", "after_phrase"]
"""Where an answer may stand: a method of `echochamber.verify.completion.Completion`."""


def _never(text: str) -> bool:
    return False


@dataclass(frozen=True)
class Format:
    """A format: how it is recognised, where its answer stands, how the embedded world writes it, how figures show it.

    A text is in the marked format whose mark comes first; without a mark, in the first other format that `holds` it.
    """

    label: str
    words: str
    """What the report says of it."""
    colour: str
    """In every figure; of Okabe and Ito's palette, safe for colour-blind readers."""
    marker: str
    starts: Callable[[str], int] | None = None
    """Of a marked format: where the mark stands in a text, or -1."""
    holds: Callable[[str], bool] = _never
    """Of one without a mark: whether a text is in it."""
    mixed: Callable[[str], bool] = _never
    """Whether a text in this format has marks of another one too."""
    program: Literal["function", "notebook"] | None = None
    """How its program is read: the function that it defines, or the blocks of a notebook."""
    executed: Place | Callable[[str], str | None] | None = None
    """Where the answer stands by the rule `executed`, or what finds it in the text; None: it has none."""
    written: Place | Callable[[str], str | None] | None = None
    """The same by `written`; None: as by `executed`."""
    render: Callable[[Any, Any, Any], str] | None = None
    """(problem, steps, look) -> the solution, as `echochamber.corpora.render` gives them; None: never written there."""
    twins: tuple[str, str] | None = None
    """The words that tell twin `a` from twin `b`: of equal length, in the same place, equally right."""
    twin_sentence: re.Pattern[str] | None = None
    """Whose first group is one of those words."""
