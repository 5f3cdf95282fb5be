"""math-verify for the answers that plain arithmetic cannot decide: in a process of its own, started when first needed.

math-verify bounds itself by SIGALRM, which works in a main thread only, and it can be made to fill any memory
(`\\boxed{9^{9^9}}`). Here the kernel bounds it: see `symbolic_worker.py`.
"""

from __future__ import annotations

import math
import os
import re
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from echochamber.errors import WorkerError
from echochamber.verify import patience, verdict
from echochamber.verify.answers import LONGEST, bounded, number, value_key
from echochamber.verify.line_process import LineProcess

WORKER = Path(__file__).with_name("symbolic_worker.py")
START_SECONDS = 120.0
REPLY_SECONDS = 15.0
_KEPT = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LANG", "LC_ALL")


_TOWER = re.compile(r"([0-9]{1,9})\s*\^\s*(?:\{\s*)?([0-9]{1,9})\s*\^\s*(?:\{\s*)?([0-9]{1,9})")
_FACTORIAL = re.compile(r"(?<![0-9])[0-9]{6,}\s*!")
DEEPEST = 60


@dataclass(frozen=True, slots=True)
class Compared:
    """Whether the answer equals a gold, its canonical key (None: it does not parse), and `ok`, `timeout`, `limit` or
    `crashed`. `said` is what was found where a whole text was searched."""

    correct: bool
    key: str | None
    status: str
    said: str | None = None


def hopeless(text: str) -> bool:
    """Whether parsing would only meet a limit: towers of powers, factorials of millions, hundreds of nested braces."""
    if text.count("{") > DEEPEST or text.count("(") > DEEPEST:
        return True
    if any(int(top) * math.log10(int(middle) + 1) > 6 for _, middle, top in _TOWER.findall(text)):
        return True
    return _FACTORIAL.search(text) is not None


class Symbolic:
    """One math-verify process and the lock around it. Safe from any thread; a killed process is replaced."""

    def __init__(self) -> None:
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        environment |= {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}
        self._process = LineProcess([sys.executable, "-P", "-B", str(WORKER)], environment, START_SECONDS)
        self._lock = threading.Lock()

    def compare(self, answer: str, golds: Sequence[str]) -> Compared:
        """Compare one answer with the accepted golds, all LaTeX. Raises WorkerError if math-verify does not start."""
        if hopeless(answer):
            return Compared(False, None, "limit")
        return self._verdict({"answer": answer, "golds": list(golds)})

    def search(self, text: str, gold: str) -> Compared:
        """Compare whatever math-verify finds in `text` with whatever it finds in `gold` (the released rule)."""
        return self._verdict({"text": text, "gold": gold})

    def _verdict(self, request: dict[str, Any]) -> Compared:
        if patience.ended():
            return Compared(False, None, "timeout")
        verdict.count("symbolic")
        try:
            with self._lock:
                reply = self._process.ask(request, REPLY_SECONDS)
        except (OSError, ValueError):
            raise WorkerError(
                f"math-verify does not start: `{sys.executable} {WORKER}` ended; allowed: an environment with "
                "math-verify 0.9.0 and sympy 1.14.0"
            ) from None
        if reply is None:
            return Compared(False, None, "crashed")
        return read(reply)

    def close(self) -> None:
        if self._lock.acquire(timeout=0.5):
            try:
                self._process.kill()
            finally:
                self._lock.release()
        else:
            self._process.give_up()


def read(reply: object) -> Compared:
    """What a reply of the worker says. Its process has parsed text of a model: nothing in it is taken on trust."""
    if not isinstance(reply, dict) or reply.get("status") not in ("ok", "timeout", "limit", "crashed"):
        return Compared(False, None, "crashed")
    if reply["status"] != "ok":
        return Compared(False, None, reply["status"])
    value, key, said = (_short(reply.get(name)) for name in ("value", "key", "said"))
    if value is not None:
        exact = _real(value)
        key = value if exact is None else value_key(exact)
    return Compared(reply.get("correct") is True, None if key is None else bounded(key), "ok", said)


def _short(text: object) -> str | None:
    return text[:LONGEST] if isinstance(text, str) else None


def _real(value: str) -> Fraction | None:
    """`p/q` or a decimal; None for one like 9e+400000000, whose digits no memory holds."""
    above, slash, below = value.partition("/")
    top, bottom = number(above), number(below) if slash else Fraction(1)
    return top / bottom if top is not None and bottom else None
