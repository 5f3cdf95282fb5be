"""Rewards by a Python function of the user's, which runs in a process of its own with a time limit."""

from __future__ import annotations

import atexit
import sys
from collections.abc import Callable, Sequence
from functools import cache

from echochamber.algorithms.rewards import FunctionReward
from echochamber.errors import UserError, shortened
from echochamber.printable import printable
from echochamber.verify import patience
from echochamber.verify.line_process import LineProcess

START_SECONDS = 120.0
"""For its imports."""
SHOWN = 300
"""Characters of what it says."""


def by_function(
    settings: FunctionReward,
    questions: Sequence[str],
    texts: Sequence[str],
    golds: Sequence[Sequence[str]],
    stop: Callable[[], bool] | None = None,
) -> list[float]:
    """The reward of each completion; equal ones of a question are asked once.

    Raises UserError, in one line, where the function cannot be imported, raises, returns no number or takes too long;
    Interrupted if `stop()` turned true meanwhile.
    """
    process = _process(settings.name)
    asked = list(zip(questions, texts, map(tuple, golds), strict=True))
    known: dict[tuple[str, str, tuple[str, ...]], float] = {}
    with patience.of_this_thread(patience.Patience(len(asked), stop)):
        for one in dict.fromkeys(asked):
            patience.check()
            known[one] = _ask(process, settings, *one)
    return [known[one] for one in asked]


def _ask(process: LineProcess, settings: FunctionReward, question: str, text: str, golds: Sequence[str]) -> float:
    where = f"reward function {settings.name}, completion {shortened(text)} of {shortened(question)}"
    request = {"question": question, "completion": text, "golds": list(golds)}
    try:
        reply = process.ask(request, settings.seconds)
    except (OSError, ValueError) as error:
        raise UserError(f"reward function {settings.name}: its process does not start ({error})") from None
    if reply is None and process.ended:
        raise UserError(f"{where}: found the end of its process ({process.ended}), allowed: a number")
    if reply is None:
        raise UserError(f"{where}: found no answer within {settings.seconds:g} s, allowed: a number within that time")
    if "error" in reply:
        said = printable(" ".join(str(reply["error"]).split())[:SHOWN])
        raise UserError(f"{where}: found that {said}, allowed: a number")
    return float(reply["reward"])


@cache
def _process(name: str) -> LineProcess:
    """One for each function, until this process ends."""
    process = LineProcess([sys.executable, "-m", "echochamber.rl.function_worker", name], None, START_SECONDS)
    atexit.register(process.kill)
    return process
