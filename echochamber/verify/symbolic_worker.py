"""`python -P symbolic_worker.py`: math-verify behind walls. Reads and writes JSON lines; started by `symbolic.py`.

This process imports math-verify once and then only supervises: answers are parsed in a forked child with a limit on
memory and, per answer, on processor time. A child that breaks a limit is killed by the kernel and forked anew in
milliseconds; sympy is not imported again. Processor time and not the clock, so that a busy machine decides nothing.

Request: {"answer": text, "golds": [text, ...]} or {"text": text, "gold": text}.
Reply: {"status": "ok", "correct": bool, "value": ..., "key": ..., "said": ...} or {"status": "timeout" | "limit" |
"crashed"}. `value` is an exact or decimal number as text, for the host to make a key of; `key` a canonical text of
anything else; `said` the text that was parsed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import resource
import select
import signal
import sys
import sysconfig
from typing import Any

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "hardening"))

import landlock
import seccomp
import sympy
from latex2sympy2_extended.sets import FiniteSet as OrderedSet
from math_verify import parse, verify

CPU_SECONDS = 2.0
WALL_SECONDS = 10.0
MEMORY = 512 * 2**20
DIGITS = 15
CLOSE = 2e-6
"""Largest relative difference of equal numbers: math-verify itself rounds to 6 decimals, to which 1/2004! is 0."""
LONGEST_REPLY = 1000
"""Characters of each text in a reply."""
_PR_SET_PDEATHSIG = 1


def compare(answer: str, golds: list[str]) -> dict[str, Any]:
    """Parse `answer` as the whole of a box and compare it with each gold."""
    target = parse(f"\\boxed{{{answer}}}", parsing_timeout=None)
    wanted = [parse(f"\\boxed{{{gold}}}", parsing_timeout=None) for gold in golds]
    return _reply(target, any(equal(gold, target) for gold in wanted))


def equal(gold: list[Any], target: list[Any]) -> bool:
    """math-verify's verdict, and nothing that speaks against it."""
    return bool(verify(gold, target, timeout_seconds=None)) and not (
        gold and target and contradicted(gold[0], target[0])
    )


def contradicted(gold: object, target: object) -> bool:
    """Whether two expressions that math-verify holds for equal are not: numbers that only its rounding makes equal, an
    equation between numbers that is false (it looks at the right side only), a value that does not exist."""
    if not isinstance(gold, sympy.Basic) or not isinstance(target, sympy.Basic):
        return False
    if isinstance(target, sympy.Eq) and not target.lhs.free_symbols and target != gold:
        return not _close(target.lhs, target.rhs)
    target, gold = _side(target), _side(gold)
    if not isinstance(target, sympy.Expr) or not isinstance(gold, sympy.Expr):
        return False
    undefined = (sympy.nan, sympy.zoo)
    if target.doit().has(*undefined) and not gold.has(*undefined):
        return True
    return not target.free_symbols and not gold.free_symbols and not _close(gold, target)


def _side(expression: sympy.Basic) -> object:
    return expression.rhs if isinstance(expression, sympy.Eq) else expression


def _close(gold: sympy.Expr, target: sympy.Expr) -> bool:
    """Whether two numbers are equal up to `CLOSE`, relatively; zero equals zero alone."""
    gold, target = gold.doit(), target.doit()
    if gold == target:
        return True
    if isinstance(gold, sympy.Rational) and isinstance(target, sympy.Rational):
        return bool(abs(gold - target) <= abs(gold) * sympy.Rational(CLOSE))
    size = abs(gold.evalf(2 * DIGITS))
    gap = abs((gold - target).evalf(2 * DIGITS))
    if not (size.is_number and gap.is_number) or not (size.is_finite and gap.is_finite):
        return not target.has(sympy.nan)
    # What `evalf` cannot tell from zero (to 100 digits) has no digits: 0.e-125.
    return bool(gap <= size * CLOSE) or bool(gap < sympy.Float("1e-90"))


def search(text: str, gold: str) -> dict[str, Any]:
    """The released rule: whatever math-verify finds in a whole text, against whatever it finds in the gold."""
    target = parse(text, parsing_timeout=None)
    return _reply(target, bool(verify(parse(gold, parsing_timeout=None), target, timeout_seconds=None)))


def _reply(target: list[Any], correct: bool) -> dict[str, Any]:
    value = key = None
    if target:
        with contextlib.suppress(Exception):
            value, key = canonical(target[0])
    said = next((item for item in target if isinstance(item, str)), None)
    if value is not None and len(value) > LONGEST_REPLY:
        value, key = None, value
    shown = {name: None if text is None else text[:LONGEST_REPLY] for name, text in (("key", key), ("said", said))}
    return {"status": "ok", "correct": bool(correct), "value": value, **shown}


def canonical(expression: Any) -> tuple[str | None, str | None]:
    """(number as text, None) for a real number, (None, canonical text) for the rest.

    An expression with symbols is known by its values at two fixed points: equal expressions agree there however they
    are written.
    """
    if isinstance(expression, str):
        return None, "".join(expression.split())
    if isinstance(expression, sympy.Eq) and isinstance(expression.lhs, sympy.Symbol):
        return canonical(expression.rhs)  # x = 5 is 5
    if isinstance(expression, sympy.Rational):
        return _rational(expression)
    if isinstance(expression, sympy.Float):
        return str(expression), None
    if isinstance(expression, sympy.Interval):
        ends = f"{_text(expression.start)}, {_text(expression.end)}"
        return None, f"{'(' if expression.left_open else '['}{ends}{')' if expression.right_open else ']'}"
    if isinstance(expression, (sympy.FiniteSet, OrderedSet)):
        return None, "{" + ", ".join(sorted(_text(item) for item in expression.args)) + "}"
    if isinstance(expression, (sympy.Tuple, tuple, list)):
        return None, "(" + ", ".join(_text(item) for item in expression) + ")"
    if isinstance(expression, sympy.MatrixBase):
        return None, f"{expression.shape}[" + ", ".join(_text(item) for item in expression) + "]"
    if isinstance(expression, sympy.Expr):
        return _expression(expression)
    return None, str(expression)


def _rational(number: sympy.Rational) -> tuple[str | None, str | None]:
    """A fraction exactly, where its digits can be written."""
    if max(number.p.bit_length(), number.q.bit_length()) > 3 * LONGEST_REPLY:
        return None, str(number.evalf(DIGITS))
    return f"{number.p}/{number.q}", None


def _text(expression: Any) -> str:
    value, key = canonical(expression)
    if key is not None:
        return key
    number = sympy.Rational(value)
    return str(number) if number.q == 1 else f"{number.evalf(DIGITS):.9g}"


def _expression(expression: sympy.Expr) -> tuple[str | None, str | None]:
    expression = expression.subs({symbol: sympy.I for symbol in expression.free_symbols if symbol.name == "i"})
    symbols = sorted(expression.free_symbols, key=str)
    if not symbols:
        number = expression.doit()
        if isinstance(number, sympy.Rational):
            return _rational(number)
        number = number.evalf(2 * DIGITS, chop=True)
        if number.is_real:
            return str(number), None
        return None, str(number.evalf(DIGITS))
    if isinstance(expression, sympy.Symbol):
        return None, str(expression)
    values = []
    for salt in "ab":
        point = {symbol: _fixed_value(f"{salt}{symbol}") for symbol in symbols}
        values.append(str(expression.doit().subs(point).evalf(2 * DIGITS, chop=True).evalf(10)))
    return None, f"{','.join(map(str, symbols))}: {'; '.join(values)}"


def _fixed_value(name: str) -> sympy.Rational:
    """A fixed number between 1 and 2 for a symbol's name."""
    return sympy.Rational(1 + int.from_bytes(hashlib.sha256(name.encode()).digest()[:3], "big") / 2**24)


def library_folders() -> list[str]:
    """Where Python finds the modules that sympy imports when it first needs them."""
    paths = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return sorted({*paths, os.path.dirname(os.path.dirname(os.path.abspath(sympy.__file__)))})


def serve(requests: int, replies: int) -> None:
    """The child: walls, then one reply a request until its supervisor is gone."""
    with open("/proc/self/statm", "rb") if os.path.exists("/proc/self/statm") else open(os.devnull, "rb") as file:
        used = int((file.read().split() or [b"0"])[0]) * resource.getpagesize()
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    for name in ("RLIMIT_FSIZE", "RLIMIT_CORE"):
        resource.setrlimit(getattr(resource, name), (0, 0))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    if sys.platform.startswith("linux"):
        libc = seccomp.ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(38, 1, 0, 0, 0)  # no_new_privs
    landlock.restrict([], library_folders())
    seccomp.install(0, os.getpid())
    with open(requests, "rb") as source:
        for line in source:
            request = json.loads(line)
            signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
            try:
                reply = search(**request) if "text" in request else compare(**request)
            except (MemoryError, RecursionError):
                reply = {"status": "limit"}
            except Exception:  # whatever a parser does with garbage: it is no answer
                reply = {"status": "ok", "correct": False, "value": None, "key": None, "said": None}
            signal.setitimer(signal.ITIMER_PROF, 0)
            os.write(replies, json.dumps(reply).encode() + b"\n")


class Child:
    """The forked process that parses; `ask` gives a verdict whatever becomes of it."""

    def __init__(self) -> None:
        request_end, self.requests = os.pipe()
        self.replies, reply_end = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(self.requests)
                os.close(self.replies)
                os.close(0)
                os.close(1)
                serve(request_end, reply_end)
            finally:
                os._exit(1)
        os.close(request_end)
        os.close(reply_end)

    def ask(self, line: bytes) -> bytes | None:
        """The reply line, or None if the child died of it or ran past `WALL_SECONDS`."""
        try:
            os.write(self.requests, line)
        except OSError:
            return None
        reply = b""
        while not reply.endswith(b"\n"):
            if not select.select([self.replies], [], [], WALL_SECONDS)[0]:
                return None
            part = os.read(self.replies, 65536)
            if not part or len(reply) > 16 * LONGEST_REPLY:
                return None
            reply += part
        return reply

    def end(self) -> dict[str, Any]:
        """Kill and reap; the status that its death means."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        os.close(self.requests)
        os.close(self.replies)
        ended = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        return {"status": "timeout" if ended in (signal.SIGPROF, signal.SIGKILL) else "crashed"}


def main() -> None:
    logging.disable(logging.CRITICAL)
    with contextlib.suppress(OSError):
        os.setsid()
    parent, child = os.getppid(), None
    compare("\\frac{1}{2} + \\sqrt{2}x", ["0.5"])  # loads what is loaded lazily, before the walls
    out = sys.stdout.buffer
    out.write(b"ready\n")
    out.flush()
    pending = b""
    while True:
        # A process forked from the host holds our pipe open; the host's death is noticed all the same.
        if not select.select([0], [], [], 5.0)[0]:
            if os.getppid() != parent:
                break
            continue
        part = os.read(0, 65536)
        if not part:
            break
        pending += part
        while b"\n" in pending:
            line, _, pending = pending.partition(b"\n")
            child = child or Child()
            reply = child.ask(line + b"\n")
            if reply is None:
                reply = json.dumps(child.end()).encode() + b"\n"
                child = None
            out.write(reply)
            out.flush()
    if child:
        child.end()


if __name__ == "__main__":
    main()
