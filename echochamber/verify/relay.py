"""The sandbox for a forked process: a small server in a fresh interpreter.

The client of Monty keeps threads that a fork does not inherit; in a child of a process that has used it, it waits for
them forever. Such a child sends its programs to a process that never forked.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from echochamber.errors import WorkerError
from echochamber.verify import patience, verdict
from echochamber.verify.answers import LONGEST
from echochamber.verify.line_process import LineProcess
from echochamber.verify.sandbox import BLOCKS, SECONDS_RETRY, Ran, Sandbox

ROOT = Path(__file__).resolve().parents[2]
COUNTED = ("programs", "program_retries", "worker_restarts")
_SERVE = "import sys; sys.path.insert(0, sys.argv[1]); from echochamber.verify.relay import serve; serve()"


class Relay:
    """What `Sandbox` is, with the worker behind one more process."""

    def __init__(self) -> None:
        command = [sys.executable, "-P", "-c", _SERVE, str(ROOT)]
        self._server = LineProcess(command, None, start_seconds=120.0)
        self._lock = threading.Lock()

    @property
    def missing(self) -> dict[str, str]:
        reply = self._ask({"missing": True})
        if reply is None:
            raise WorkerError("the sandbox does not start in a forked process: its server ended")
        missing: dict[str, str] = reply["missing"]
        return missing

    def run(self, blocks: Sequence[str], names: dict[str, str] | None = None) -> Ran:
        """See `Sandbox.run`."""
        if patience.ended():
            return Ran("timeout")
        reply = self._ask({"blocks": list(blocks), "names": names})
        if reply is None:
            return Ran("crashed")
        for name in COUNTED:
            verdict.count(name, reply["counts"][name])
        return Ran(reply["status"], _decoded(reply["value"]), reply["printed"])

    def _ask(self, request: dict[str, Any]) -> dict[str, Any] | None:
        with self._lock:
            try:
                return self._server.ask(request, seconds=4 * BLOCKS * SECONDS_RETRY)
            except (OSError, ValueError) as error:
                raise WorkerError(f"the sandbox does not start in a forked process: {error}") from error

    def close(self) -> None:
        if self._lock.acquire(timeout=0.5):
            try:
                self._server.kill()
            finally:
                self._lock.release()
        else:
            self._server.give_up()


def _encoded(value: object) -> list[Any]:
    """Numbers, texts and flat sequences of them as JSON; anything else is `other`, which is no answer anyway."""
    if value is None or isinstance(value, bool):
        return ["plain", value]
    if isinstance(value, int) and value.bit_length() < 14000:
        return ["int", str(value)]
    if isinstance(value, float):
        return ["float", value.hex()]
    if isinstance(value, Decimal):
        return ["decimal", str(value)]
    if isinstance(value, str) and len(value) <= 8 * LONGEST:
        return ["plain", value]
    if isinstance(value, (tuple, list)) and len(value) <= 32:
        flat = all(item is None or isinstance(item, (bool, int, float, Decimal, str)) for item in value)
        return [type(value).__name__, [_encoded(item) for item in value]] if flat else ["other", None]
    return ["other", None]


def _decoded(pair: list[Any]) -> object:
    kind, value = pair
    if kind in ("tuple", "list"):
        items = [_decoded(item) for item in value]
        return tuple(items) if kind == "tuple" else items
    return {"plain": lambda: value, "int": lambda: int(value), "float": lambda: float.fromhex(value),
            "decimal": lambda: Decimal(value), "other": object}[kind]()  # fmt: skip


def serve() -> None:
    """The server: one JSON reply for every JSON line of stdin, until its end."""
    sandbox = Sandbox()
    reply: dict[str, Any]
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "missing" in request:
            reply = {"missing": sandbox.missing}
        else:
            verdict.restore_counters({})
            ran = sandbox.run(request["blocks"], request["names"])
            counts = {name: verdict.counters().get(name, 0) for name in COUNTED}
            reply = {"status": ran.status, "value": _encoded(ran.value), "printed": ran.printed, "counts": counts}
        print(json.dumps(reply), flush=True)
    sandbox.close()
