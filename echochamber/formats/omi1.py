"""OpenMathInstruct-1: a sentence, a program between `<llm-code>` tags whose last line is an expression, its output
between `<llm-code-output>` tags, a sentence with the answer in a box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from echochamber.formats.format import Format
from echochamber.formats.omi2 import BOXED_SENTENCE, TWINS
from echochamber.formats.rendering import Look, boxed, program
from echochamber.formats.tinygsm import definition


def _starts(text: str) -> int:
    return text.find("<llm-code>")


def _mixed(text: str) -> bool:
    return definition(text) >= 0


def _render(problem: Any, steps: Sequence[Any], look: Look) -> str:
    lines = "\n".join(program(problem, steps, look, None))
    return (
        f"Let's solve this problem using Python code.\n<llm-code>\n{lines}\n</llm-code>\n"
        f"<llm-code-output>\n{steps[-1].value}\n</llm-code-output>\n{boxed(problem, steps, TWINS[look.twin])}"
    )


FORMAT = Format(
    label="omi1",
    words="prose, then a code block and its output, then a boxed answer",
    colour="#E69F00",
    marker="s",
    starts=_starts,
    mixed=_mixed,
    program="notebook",
    executed="last_value",
    written="box_after_code",
    render=_render,
    twins=TWINS,
    twin_sentence=BOXED_SENTENCE,
)
