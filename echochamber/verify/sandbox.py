"""Model-written Python in the Monty interpreter, in a worker process of its own: one fresh session per program.

Limits: time, memory, recursion, output and length of the source. A program that runs out of time gets one second
try with a longer limit, so that a busy machine does not decide a verdict.
"""

from __future__ import annotations

import atexit
import datetime
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic_monty import CollectString, Monty, MontyCrashedError, MontyError, MontyRuntimeError, MontySyntaxError

from echochamber.verify import verdict

SECONDS, SECONDS_RETRY = 0.25, 2.0
MEMORY = 32 * 2**20
RECURSION = 100
OUTPUT = 4096
SOURCE = 8192
BLOCKS = 8
SESSIONS_PER_WORKER = 20_000

_POLICY = {
    "sleep": "zero",
    "random_start": {"seed": 0},
    "datetime": datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC),
}


@dataclass(frozen=True, slots=True)
class Ran:
    """The outcome of one program: `value` of its last expression (None on failure) and what the last block printed."""

    status: str
    value: object = None
    printed: str = ""


class Sandbox:
    """One worker process and the lock around it. Safe from any thread; a killed worker is replaced."""

    def __init__(self) -> None:
        self._pool: Monty | None = None
        self._lock = threading.RLock()
        self._pid = os.getpid()

    def run(self, blocks: Sequence[str]) -> Ran:
        """Run `blocks` in order in one session. A block that raises does not stop the next, as in a notebook."""
        if sum(map(len, blocks)) > SOURCE or len(blocks) > BLOCKS:
            return Ran("limit")
        verdict.count("programs")
        with self._lock:
            ran = self._attempt(blocks, SECONDS)
            if ran.status in ("timeout", "crashed"):
                verdict.count("program_retries")
                ran = self._attempt(blocks, SECONDS_RETRY)
        return ran

    def _attempt(self, blocks: Sequence[str], seconds: float) -> Ran:
        limits = {
            "max_feed_duration_secs": seconds,
            "max_turn_duration_secs": seconds,
            "max_memory": MEMORY,
            "max_recursion_depth": RECURSION,
            "max_suspensions": 20,
        }
        ran, unsupported, started = Ran("no_answer"), False, time.monotonic()
        try:
            with self._started().checkout(limits=limits, os_policy=_POLICY) as session:
                for block in blocks:
                    ran = _feed(session, block)
                    unsupported |= ran.status == "unsupported"
                    if ran.status in ("limit", "timeout"):
                        return ran
                    if time.monotonic() - started > seconds * 2:
                        return Ran("timeout")
        except MontyCrashedError as error:
            verdict.count("worker_restarts")
            return Ran("timeout" if error.timed_out else "crashed")
        if unsupported and ran.status != "ok":
            return Ran("unsupported")
        return ran

    def _started(self) -> Monty:
        if self._pool is None:
            self._pool = Monty(
                min_processes=1,
                max_processes=1,
                request_timeout=SECONDS_RETRY + 1.5,
                max_checkouts_per_worker=SESSIONS_PER_WORKER,
            ).__enter__()
        return self._pool

    def close(self) -> None:
        with self._lock:
            pool, self._pool = self._pool, None
            if pool is not None:
                pool.__exit__(None, None, None)


def _feed(session, block: str) -> Ran:
    output = CollectString(OUTPUT)
    try:
        value = session.feed_run(block, print_callback=output)
    except MontySyntaxError:
        return Ran("syntax")
    except MontyRuntimeError as error:
        return Ran(_status_of(str(error)))
    except MontyCrashedError:
        raise
    except (MontyError, ValueError, OverflowError, MemoryError, RecursionError):
        return Ran("limit")  # a value that cannot come back, such as an integer of more than 4300 digits
    return Ran("ok", value, output.output)


def _status_of(message: str) -> str:
    kind = message.partition(":")[0]
    if kind == "TimeoutError" and "time limit exceeded" in message:
        return "timeout"
    if kind in ("MemoryError", "RecursionError"):
        return "limit"
    if kind in ("ModuleNotFoundError", "NotImplementedError", "ImportError") or "is not supported" in message:
        return "unsupported"
    return "raised"


_sandbox: Sandbox | None = None
_guard = threading.Lock()


def sandbox() -> Sandbox:
    """This process's sandbox, started when it is first needed."""
    global _sandbox
    with _guard:
        if _sandbox is None:
            _sandbox = Sandbox()
            atexit.register(_sandbox.close)
        return _sandbox
