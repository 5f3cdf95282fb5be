"""`python -I -S worker.py LIBRARIES BINARY [ARGUMENT...]`: build the walls, then become BINARY.

Own session (a terminal's Ctrl-C is the trainer's to handle), death with the parent, no environment, no inherited
files, rlimits, no_new_privs, Landlock, seccomp. LIBRARIES: the files that BINARY loads, separated by `:`. What cannot
be built is left out. `worker.py --probe` builds the same walls, tries each of them, and prints as JSON which are
missing and why: the host runs it once and warns.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
from collections.abc import Callable

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import landlock
import seccomp

LIMITS = {
    "RLIMIT_AS": 1 << 30,  # the interpreter reserves 180 MB before it runs anything; its own limit is far lower
    "RLIMIT_CPU": 3600,
    "RLIMIT_FSIZE": 0,
    "RLIMIT_CORE": 0,
    "RLIMIT_NOFILE": 32,
    "RLIMIT_MEMLOCK": 0,
    "RLIMIT_MSGQUEUE": 0,
}
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38


def limit_resources() -> str | None:
    refused = []
    for name, value in LIMITS.items():
        kind = getattr(resource, name, None)
        if kind is None:
            continue
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(kind, (value, value))
        except (ValueError, OSError):
            refused.append(name)
    return f"refused: {', '.join(refused)}" if refused else None


def no_new_privileges() -> str | None:
    if not sys.platform.startswith("linux"):
        return f"unknown to {sys.platform}"
    return None if ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 else "the kernel refused it"


def leave_parent() -> None:
    """A session of its own, yet no life without the parent; nothing inherited but stdin and stdout."""
    parent = os.getppid()
    with contextlib.suppress(OSError):
        os.setsid()
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    os.chdir("/")
    os.closerange(3, 65536)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 2)
    os.close(null)


def build_walls(files: list[str], path_address: int) -> dict[str, str]:
    """Build every wall that this kernel has; returns the missing ones with the reason."""
    missing = {
        "rlimits": limit_resources(),
        "no_new_privs": no_new_privileges(),
        "landlock": landlock.restrict(files),
        "seccomp": seccomp.install(path_address, os.getpid()),
    }
    return {wall: why for wall, why in missing.items() if why}


def _allowed(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True


def probe() -> dict[str, str]:
    """Build the walls and push against them: a wall that gives way is reported as missing."""
    import socket  # before Landlock hides it

    folder = os.path.dirname(os.path.abspath(__file__))
    missing = build_walls([], 0)
    if _allowed(lambda: os.open(__file__, os.O_RDONLY)) or _allowed(lambda: os.listdir(folder)):
        missing.setdefault("landlock", "it lets a file be read")
    if _allowed(lambda: socket.socket(socket.AF_UNIX)) or _allowed(lambda: os.kill(os.getppid(), 0)):
        missing.setdefault("seccomp", "it lets a socket be made or another process be signalled")
    return missing


def main(libraries: str, binary: str, arguments: list[str]) -> None:
    leave_parent()
    path = ctypes.create_string_buffer(os.fsencode(binary))
    words = [os.fsencode(word) for word in (binary, *arguments)]
    argv = (ctypes.c_char_p * (len(words) + 1))(*words, None)
    environment = (ctypes.c_char_p * 1)(None)
    execve = ctypes.CDLL(None).execve
    build_walls([binary, *filter(None, libraries.split(":"))], ctypes.addressof(path))
    execve(path, argv, environment)
    os._exit(127)


if __name__ == "__main__":
    if sys.argv[1:] == ["--probe"]:
        print(json.dumps(probe()))
    else:
        main(sys.argv[1], sys.argv[2], sys.argv[3:])
