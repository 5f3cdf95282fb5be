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

from echochamber.verify import verdict
from echochamber.verify.answers import value_key
from echochamber.verify.process import LineProcess

WORKER = Path(__file__).with_name("symbolic_worker.py")
START_SECONDS = 120.0
REPLY_SECONDS = 30.0
_KEPT = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LANG", "LC_ALL")


_TOWER = re.compile(r"([0-9]{1,9})\s*+\^\s*+\{?+\s*+([0-9]{1,9})\s*+\^\s*+\{?+\s*+([0-9]{1,9})")
_FACTORIAL = re.compile(r"[0-9]{6,}\s*+!")
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
        """Compare one answer with the accepted golds, all LaTeX. Raises RuntimeError if math-verify does not start."""
        if hopeless(answer):
            return Compared(False, None, "limit")
        return self._verdict({"answer": answer, "golds": list(golds)})

    def search(self, text: str, gold: str) -> Compared:
        """Compare whatever math-verify finds in `text` with whatever it finds in `gold` (the released rule)."""
        return self._verdict({"text": text, "gold": gold})

    def _verdict(self, request: dict) -> Compared:
        verdict.count("symbolic")
        try:
            with self._lock:
                reply = self._process.ask(request, REPLY_SECONDS)
        except (OSError, ValueError):
            raise RuntimeError(
                f"math-verify does not start: `{sys.executable} {WORKER}` ended; allowed: an environment with "
                "math-verify 0.9.0 and sympy 1.14.0"
            ) from None
        if reply is None:
            return Compared(False, None, "crashed")
        if reply["status"] != "ok":
            return Compared(False, None, reply["status"])
        key = reply["key"]
        if reply["value"] is not None:
            try:
                key = value_key(Fraction(reply["value"]))
            except (ValueError, ZeroDivisionError, OverflowError):
                key = reply["value"]
        return Compared(reply["correct"], key, "ok", reply["said"])

    def close(self) -> None:
        with self._lock:
            self._process.kill()
