"""Model-written Python in the Monty interpreter, in a walled worker process: one fresh session per program.

Limits: time, memory, recursion, output and length of the source. A program that runs out of time gets one second
try with a longer limit, so that a busy machine does not decide a verdict.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import importlib.util
import os
import re
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic_monty import (
    CollectString,
    Monty,
    MontyCrashedError,
    MontyError,
    MontyRuntimeError,
    MontySession,
    MontySyntaxError,
    OSPolicy,
    ResourceLimits,
)
from pydantic_monty._binary import find_monty_binary

from echochamber.errors import WorkerError
from echochamber.verify import patience, verdict
from echochamber.verify.hardening import launcher

SECONDS, SECONDS_RETRY = 0.25, 2.0
KILL_AFTER = 1.0
"""Seconds past its limit after which a worker that does not stop by itself is killed."""
MEMORY = 32 * 2**20
RECURSION = 100
OUTPUT = 4096
SOURCE = 8192
BLOCKS = 8
SESSIONS_PER_WORKER = 20_000

_UNSUPPORTED = re.compile(r"does not yet support |(?:is|are) not supported")
_TRACING = ("opentelemetry", "opentelemetry.trace", "opentelemetry.context")
_POLICY: OSPolicy = {
    "sleep": "zero",
    "random_start": {"seed": 0},
    "datetime": datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC),
}


@dataclass(frozen=True, slots=True)
class Ran:
    """The outcome of one program: the `value` of its last expression (None on failure), what its last block printed."""

    status: str
    value: object = None
    printed: str = ""


_started_in: int | None = None


def unusable_here() -> bool:
    """Whether this process was forked from one that had started a sandbox: its client cannot work here."""
    return _started_in not in (None, os.getpid())


class RunsPrograms(Protocol):
    """What runs the programs of completions: `Sandbox`, or `Relay` in a process that cannot have one."""

    def run(self, blocks: Sequence[str], names: dict[str, str] | None = None) -> Ran:
        """See `Sandbox.run`."""


class Sandbox:
    """One worker process and the lock around it. Safe from any thread; a killed worker is replaced."""

    def __init__(self) -> None:
        self._pool: Monty | None = None
        self._launcher: launcher.Launcher | None = None
        self._lock = threading.Lock()

    @property
    def missing(self) -> dict[str, str]:
        """The walls that this machine's kernel lacks, with the reason. Starts the worker."""
        with self._lock:
            self._started()
            return dict(self._launcher.missing) if self._launcher else {}

    def run(self, blocks: Sequence[str], names: dict[str, str] | None = None) -> Ran:
        """Run `blocks` in order in one session. A block that raises does not stop the next, as in a notebook.

        `names` are bound as global strings before the first block.

        Raises WorkerError if the interpreter cannot be started at all, Interrupted if the caller was asked to stop.
        """
        if patience.ended():
            return Ran("timeout")
        if len(blocks) > BLOCKS or sum(map(len, [*blocks, *(names or {}).values()])) > SOURCE:
            return Ran("limit")
        verdict.count("programs")
        with self._lock, _no_tracing():
            ran = self._attempt(blocks, names, SECONDS)
            if ran.status in ("timeout", "crashed"):
                verdict.count("program_retries")
                patience.check()
                ran = self._attempt(blocks, names, SECONDS_RETRY)
        return ran

    def _attempt(self, blocks: Sequence[str], names: dict[str, str] | None, seconds: float) -> Ran:
        limits: ResourceLimits = {
            "max_feed_duration_secs": seconds,
            "max_turn_duration_secs": seconds,
            "max_memory": MEMORY,
            "max_recursion_depth": RECURSION,
            "max_suspensions": 20,
        }
        ran, unsupported, pool, started = Ran("no_answer"), False, self._started(), time.monotonic()
        try:
            with pool.checkout(limits=limits, os_policy=_POLICY) as session:
                for block in blocks:
                    ran, names = _feed(session, block, names), None
                    unsupported |= ran.status == "unsupported"
                    if ran.status in ("limit", "timeout"):
                        return ran
                    if time.monotonic() - started > 2 * seconds:
                        return Ran("timeout")
        except MontyCrashedError as error:
            verdict.count("worker_restarts")
            return Ran("timeout" if error.timed_out else "crashed")
        except (MontyError, OSError, RuntimeError):  # no worker to be had (TimeoutError is an OSError): start over
            verdict.count("worker_restarts")
            self._drop()
            return Ran("crashed")
        if unsupported and ran.status != "ok":
            return Ran("unsupported")
        return ran

    def _started(self) -> Monty:
        if self._pool is None:
            global _started_in
            _started_in = os.getpid()
            try:
                binary = find_monty_binary()
                walled = launcher.launcher(binary)
            except OSError as error:  # no completion's fault: it would be every one's
                raise WorkerError(f"the sandbox does not start: {' '.join(str(error).split())}") from error
            try:
                self._pool, self._launcher = _pool(walled.path), walled
            except Exception:  # a wall that this system's libc does not bear: better no wall than no sandbox
                self._pool, self._launcher = _pool(binary), launcher.bare(binary)
            if self._launcher.missing:
                launcher.warn(self._launcher.missing)
        return self._pool

    def close(self) -> None:
        if self._lock.acquire(timeout=0.5):  # else a thread is in it that this process does not wait for
            try:
                self._drop()
            finally:
                self._lock.release()

    def _drop(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            with contextlib.suppress(Exception):
                pool.__exit__(None, None, None)
        if self._launcher is not None and self._launcher.handle is not None:
            os.close(self._launcher.handle)
        self._launcher = None


def _pool(path: str) -> Monty:
    """A pool of one worker that has run a program. Raises RuntimeError if it cannot."""
    pool = Monty(
        binary_path=path,
        min_processes=1,
        max_processes=1,
        checkout_timeout=60.0,
        request_timeout=SECONDS_RETRY + KILL_AFTER,
        feed_duration_limit_grace=KILL_AFTER,
        turn_duration_limit_grace=KILL_AFTER,
        max_checkouts_per_worker=SESSIONS_PER_WORKER,
    )
    try:
        pool.__enter__()
        with pool.checkout() as session:
            session.feed_run("1")
    except Exception as error:
        with contextlib.suppress(Exception):
            pool.__exit__(None, None, None)
        raise WorkerError(f"the sandbox does not start: {path}: {error}") from error
    return pool


@contextlib.contextmanager
def _no_tracing() -> Iterator[None]:
    """Monty's client looks for opentelemetry at every feed; where it is not installed, the search is 40 % of its time.

    `None` in `sys.modules` is Python's own way to say that there is no such module.
    """
    absent = () if _TRACING[0] in sys.modules or _tracing_installed() else _TRACING
    modules: dict[str, Any] = sys.modules
    modules.update(dict.fromkeys(absent))
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)


@functools.cache
def _tracing_installed() -> bool:
    return importlib.util.find_spec(_TRACING[0]) is not None


def _feed(session: MontySession, block: str, names: dict[str, str] | None) -> Ran:
    output = CollectString(OUTPUT)
    try:
        value = session.feed_run(block, inputs=names, print_callback=output)
    except MontySyntaxError:
        return Ran("syntax")
    except MontyRuntimeError as error:
        return Ran(_status_of(str(error)))
    except MontyCrashedError:
        raise
    except UnicodeEncodeError:
        return Ran("syntax")  # a lone surrogate: no source text
    except (MontyError, ValueError, OverflowError, MemoryError, RecursionError):
        return Ran("limit")  # a value that cannot come back, such as an integer of more than 4300 digits
    return Ran("ok", value, output.output)


def _status_of(message: str) -> str:
    """The status that a runtime error's text (`Type: message`) stands for."""
    kind, _, detail = message.partition(": ")
    if kind == "TimeoutError" and "time limit exceeded" in detail:
        return "timeout"
    if kind in ("MemoryError", "RecursionError"):
        return "limit"
    if kind in ("ModuleNotFoundError", "ImportError") or _UNSUPPORTED.search(detail):
        return "unsupported"
    return "raised"
