"""The host's side of `worker.py`: one executable path that builds the walls and then becomes the sandbox's binary.

The pool takes a path and passes no environment, so the interpreter and the arguments are written into a two-line shell
script: in memory where the system has memfd (nothing to clean up, nothing a cleaner of /tmp can take away), else in a
temporary file. If neither runs, the bare binary is used. Whatever wall is missing is warned about once and named in
`Launcher.missing`.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

WORKER = Path(__file__).with_name("worker.py")
WALLS = ("rlimits", "no_new_privs", "landlock", "seccomp")
_SECONDS = 20.0


@dataclass(frozen=True)
class Launcher:
    """`path` to start, the walls `missing` (name: reason) and the open file that `path` leads to, if any."""

    path: str
    missing: dict[str, str] = field(default_factory=dict)
    handle: int | None = None


def launcher(binary: str) -> Launcher:
    """A launcher for `binary`, tried out: it has started `binary --version` behind the walls."""
    missing = probe()
    for write in (_in_memory, _in_file):
        script = write(_script(binary))
        if script is None:
            continue
        path, handle = script
        if _output([path, "--version"]) is not None:
            return Launcher(path, missing, handle)
        if handle is not None:
            os.close(handle)
    return bare(binary)


def bare(binary: str) -> Launcher:
    """No walls at all, and known to have none."""
    return Launcher(binary, dict.fromkeys(WALLS, "the wrapper does not start here"))


@cache
def probe() -> dict[str, str]:
    """The walls that this machine lacks, with the reason: built and pushed against in a process of their own."""
    output = _output([*_interpreter(), "--probe"])
    if output is None:
        return dict.fromkeys(WALLS, "the wrapper does not start here")
    missing: dict[str, str] = json.loads(output)
    return missing


def warn(missing: dict[str, str]) -> None:
    reasons = "; ".join(f"{wall} ({why})" for wall, why in missing.items())
    warnings.warn(
        f"model-written programs run with fewer walls than on a recent Linux kernel: without {reasons}. "
        "The interpreter's own limits still hold.",
        RuntimeWarning,
        stacklevel=2,
    )


def libraries(binary: str) -> list[str]:
    """The shared libraries that `binary` loads, as the dynamic loader itself lists them; the usual folders if it does
    not."""
    output = _output([binary], {"LD_TRACE_LOADED_OBJECTS": "1"}) if sys.platform.startswith("linux") else None
    paths = [word for word in (output or "").split() if word.startswith("/")]
    folders = ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib"]
    return [*(paths or folders), "/etc/ld.so.cache"]


def _interpreter() -> list[str]:
    return [sys.executable, "-I", "-S", str(WORKER)]


def _script(binary: str) -> str:
    command = [*_interpreter(), ":".join(libraries(binary)), binary]
    return f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n'


def _in_memory(script: str) -> tuple[str, int] | None:
    try:
        handle = os.memfd_create("sandbox", os.MFD_CLOEXEC)
        os.write(handle, script.encode())
        os.fchmod(handle, 0o500)
    except (AttributeError, OSError):
        return None
    return f"/proc/{os.getpid()}/fd/{handle}", handle


def _in_file(script: str) -> tuple[str, None] | None:
    try:
        path = Path(tempfile.mkdtemp(prefix="echochamber-")) / "sandbox"
        path.write_text(script)
        path.chmod(0o500)
    except OSError:
        return None
    return str(path), None


def _output(command: list[str], environment: dict[str, str] | None = None) -> str | None:
    try:
        done = subprocess.run(
            command, env=environment or {}, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None
