"""TinyGSM: a Python function with the question as docstring, assignments, `result = ...`, `return result`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from echochamber.formats.format import Format
from echochamber.formats.rendering import Look, program

TWINS = ("answer", "final")
_DEFINITION = re.compile(r"^def simple_math_problem[ \t]*\(([^\n]*)$", re.MULTILINE)


def definition(text: str) -> int:
    """Where the first whole signature line of `simple_math_problem` starts, or -1."""
    if "def simple_math_problem" not in text:
        return -1
    for match in _DEFINITION.finditer(text):
        _, closed, rest = match[1].partition(")")
        if closed and ":" in rest:
            return match.start()
    return -1


def _mixed(text: str) -> bool:
    return "<llm-code>" in text or "\\boxed{" in text


def _render(problem: Any, steps: Sequence[Any], look: Look) -> str:
    quotes = '"""' if look.double_quotes else "'''"
    last = TWINS[look.twin]
    lines = [quotes, *problem.sentences, quotes, *program(problem, steps, look, last)]
    lines += [f"result = {last}", "return result"]
    return "def simple_math_problem() -> int:\n    " + "\n    ".join(lines)


FORMAT = Format(
    label="tinygsm",
    words="a Python function with the question as its docstring; the answer is what it returns",
    colour="#0072B2",
    marker="o",
    starts=definition,
    mixed=_mixed,
    program="function",
    executed="returned",
    render=_render,
    twins=TWINS,
    twin_sentence=re.compile(r"^[ \t]*result[ \t]*=[ \t]*(\w+)[ \t]*$", re.MULTILINE),
)
