"""The worker processes of this process: started when first needed, ended with it, never shared with a fork.

There are two, one for programs and one for math-verify, and two more for each further thread of a batch in trouble.

A forked child inherits the handles of its parent's workers. It must neither use nor close them: they are kept, out of
reach, and the child starts its own (`relay.py` says why its sandbox takes one more process).
"""

from __future__ import annotations

import atexit
import ctypes
import os
import threading
from typing import Any, TypeVar

from echochamber.verify.hardening import launcher
from echochamber.verify.relay import Relay
from echochamber.verify.sandbox import Sandbox, unusable_here
from echochamber.verify.symbolic import Symbolic

W = TypeVar("W", Sandbox, Relay, Symbolic)

_guard = threading.Lock()
_workers: dict[tuple[type, int], Any] = {}
"""(class, number) -> its worker, of that class."""
_of_thread = threading.local()


def use(number: int) -> None:
    """Give this thread workers of its own, those of that number; threads without one share those of number 0."""
    _of_thread.number = number


def _worker(kind: type[W]) -> W:
    key = kind, getattr(_of_thread, "number", 0)
    with _guard:
        if key not in _workers:
            _workers[key] = kind()
        worker: W = _workers[key]
        return worker


def sandbox() -> Sandbox | Relay:
    return _worker(Relay) if unusable_here() else _worker(Sandbox)


def symbolic() -> Symbolic:
    return _worker(Symbolic)


def walls() -> dict[str, str]:
    """The state of each wall around model-written programs: `up`, or why this machine's kernel has none.

    Starts the sandbox. `rlimits`, `no_new_privs`, `landlock` (no file but the interpreter's own), `seccomp` (no
    network, no process, no signal to another).
    """
    missing = sandbox().missing
    return {wall: missing.get(wall, "up") for wall in launcher.WALLS}


def close() -> None:
    """End this process's workers; the next verification starts new ones."""
    with _guard:
        ended = list(_workers.values())
        _workers.clear()
    for worker in ended:
        worker.close()


def _abandon() -> None:
    global _guard
    _guard = threading.Lock()
    for worker in _workers.values():
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(worker))  # no destructor may ever run: it would end the parent's
    _workers.clear()


atexit.register(close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon)
