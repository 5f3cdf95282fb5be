"""OpenMathInstruct-2: prose with arithmetic between dollar signs (with `*` and `/`, as most of its grade-school rows
have it), a sentence with the answer in a box."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from echochamber.formats.format import Format
from echochamber.formats.rendering import Look, boxed, sentences

TWINS = ("So", "Thus")
BOXED_SENTENCE = re.compile(r"^[ \t]*(\w+)\b[^\n]*\\boxed\{", re.MULTILINE)


def _holds(text: str) -> bool:
    """What is left of a notebook whose first tag is broken is not to be judged by its box."""
    return "\\boxed{" in text and "llm-code" not in text


def _render(problem: Any, steps: Sequence[Any], look: Look) -> str:
    return "\n".join([*sentences(problem, steps, "$"), boxed(problem, steps, TWINS[look.twin])])


FORMAT = Format(
    label="omi2",
    words="natural language with LaTeX, ending in a boxed answer",
    colour="#009E73",
    marker="D",
    holds=_holds,
    executed="boxed",
    render=_render,
    twins=TWINS,
    twin_sentence=BOXED_SENTENCE,
)
