"""A Python function of the user's, `module:function`: that it can be imported, and what its file holds.

It is asked in a process of its own, so that whoever reads a grid file runs none of it.
"""

from __future__ import annotations

import hashlib
import importlib.machinery
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

from echochamber.printable import printable

NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
SECONDS = 120
"""For an import."""
CHECK = """
import importlib, sys
sys.path.insert(0, "")
module, _, name = sys.argv[1].partition(":")
try:
    found = getattr(importlib.import_module(module), name)
except BaseException as error:
    sys.exit(f"{type(error).__name__}: {error}")
sys.exit(None if callable(found) else f"{name} is no function")
"""


def fixed(function: str, sha256: str | None) -> str:
    """SHA-256 of the file of the function's module.

    Args:
        sha256: what it was when the grid was read; empty or None: it is read now, and the function imported once.

    Raises ValueError, in one line, if it cannot be imported, or is another than it was.
    """
    if not NAME.fullmatch(function):
        raise ValueError(f"name: found {function!r}, allowed: module:function")
    path = _file(function.partition(":")[0])
    now = hashlib.sha256(path.read_bytes()).hexdigest()
    if sha256 and sha256 != now:
        raise ValueError(f"name: {path} has changed since the grid was read, allowed: as it was")
    if not sha256:
        _import(function, now)
    return now


def _file(module: str) -> Path:
    """The file of a module, without importing it or the packages that it is in."""
    folders: list[str] | None = [os.getcwd(), *sys.path]
    name, spec = "", None
    for part in module.split("."):
        name = f"{name}.{part}" if name else part
        spec = importlib.machinery.PathFinder.find_spec(name, folders)
        if spec is None:
            break
        folders = list(spec.submodule_search_locations or [])
    if spec is None or not spec.origin:
        raise ValueError(f"name: found no module {module!r}, allowed: one in {os.getcwd()}, or one that is installed")
    return Path(spec.origin)


@cache
def _import(function: str, sha256: str) -> None:
    """Import it once, in a process of its own; `sha256`: of its file, so that a changed one is imported again."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", CHECK, function], capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"name: importing {function!r} took more than {SECONDS} s, allowed: up to that") from None
    if done.returncode:
        said = printable(" ".join(done.stderr.split())[-300:]) or f"exit status {done.returncode}"
        raise ValueError(f"name: {function!r} cannot be imported ({said}), allowed: module:function")
