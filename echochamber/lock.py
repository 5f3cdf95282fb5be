"""One writer per folder.

The lock is the kernel's (`flock`), so it is released the moment its owner dies, however it dies, and two processes that
wait for it can not both win. The file's text names the owner for people and for the log.
"""

from __future__ import annotations

import fcntl
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

log = logging.getLogger(__name__)


def hold(path: Path) -> TextIO | None:
    """An open file that holds the lock `path` until it is closed or this process dies; None if another one holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+", encoding="utf-8")
    if _try(file):
        return file
    file.close()
    return None


@contextmanager
def sole_writer(
    folder: Path, stop: Callable[[], bool] = lambda: False, seconds_between_tries: float = 0.5
) -> Iterator[bool]:
    """Hold `folder`/LOCK. Waits for a living owner, at once takes over from a dead one.

    Yields True when the lock is held, False if `stop()` turned true while waiting.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "LOCK").open("a+", encoding="utf-8") as file:
        held = _try(file)
        if not held:
            file.seek(0)
            log.info("waiting for the other writer of %s: %s", folder, file.read().strip() or "unknown")
            while not held and not stop():
                time.sleep(seconds_between_tries)
                held = _try(file)
        if held:
            file.truncate(0)
            file.write(f"host {socket.gethostname()} process {os.getpid()}\n")
            file.flush()
        yield held
        if held:
            file.truncate(0)


def is_held(folder: Path) -> bool:
    """Whether a living process is the writer of `folder`. Looks without getting in its way."""
    try:
        file = (folder / "LOCK").open(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _try(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
