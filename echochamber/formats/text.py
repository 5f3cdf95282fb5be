"""Other prose; in the embedded world as MetaMathQA has it: plain arithmetic, `#### N`, `The answer is: N`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from echochamber.formats.degenerate import is_code, loops
from echochamber.formats.format import Format
from echochamber.formats.rendering import Look, continued, sentences

TWINS = ("So", "Thus")


def _holds(text: str) -> bool:
    return bool(text) and "llm-code" not in text and not loops(text) and not is_code(text)


def _render(problem: Any, steps: Sequence[Any], look: Look) -> str:
    *lines, last = sentences(problem, steps, "")
    answer = steps[-1].value
    last = f"{TWINS[look.twin]} {continued(last)}"
    return "\n".join([*lines, last, f"#### {answer}", f"The answer is: {answer}"])


FORMAT = Format(
    label="text",
    words="any other prose",
    colour="#CC79A7",
    marker="^",
    holds=_holds,
    executed="after_phrase",
    render=_render,
    twins=TWINS,
    twin_sentence=re.compile(r"^[ \t]*(So|Thus)\b[^\n]*=", re.MULTILINE),
)
