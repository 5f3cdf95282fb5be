"""The two worker processes of this process: started when first needed, ended with it, never shared with a fork.

A forked child inherits the handles of its parent's workers. It must neither use nor close them: they are kept, out of
reach, and the child starts its own (`relay.py` says why its sandbox takes one more process).
"""

from __future__ import annotations

import atexit
import ctypes
import os
import threading

from echochamber.verify.hardening import launcher
from echochamber.verify.relay import Relay
from echochamber.verify.sandbox import Sandbox, unusable_here
from echochamber.verify.symbolic import Symbolic

_guard = threading.Lock()
_workers: dict[type, Sandbox | Relay | Symbolic] = {}


def _worker(kind: type):
    with _guard:
        if kind not in _workers:
            _workers[kind] = kind()
        return _workers[kind]


def sandbox() -> Sandbox | Relay:
    return _worker(Relay if unusable_here() else Sandbox)


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
