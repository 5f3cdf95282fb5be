"""One writer per folder.

The lock is the kernel's (`flock`), so it is released the moment its owner dies, however it dies, and two processes that
wait for it can not both win. The file's text names the owner for people and for the log.

Not filelock's: there the file's text is nobody's, and one cannot look whether a lock is held without taking it, as
`make status` does beside a running grid.
"""

from __future__ import annotations

import fcntl
import logging
import os
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from echochamber.errors import UserError

log = logging.getLogger(__name__)

_ALLOWED = "allowed: a file that this user may write, in a folder of their own"


def hold(path: Path) -> TextIO | None:
    """An open file that holds the lock `path` until it is closed or this process dies; None if another one holds it.

    Raises:
        UserError: it cannot be a lock of this user's.
    """
    file = _opened(path)
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

    Raises:
        UserError: it cannot be a lock of this user's.
    """
    with _opened(folder / "LOCK") as file:
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
        handle = os.open(folder / "LOCK", os.O_RDONLY | os.O_NONBLOCK)
    except OSError:  # there is none, or it is none of this user's
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no file that can be locked
        return False
    finally:
        os.close(handle)
    return False


def _opened(path: Path) -> TextIO:
    """A lock's file, made if need be. Never waits, as opening a FIFO does."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK, 0o666)
    except OSError as error:
        raise UserError(f"{path}: found a lock that cannot be opened ({error.strerror}), {_ALLOWED}") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise UserError(f"{path}: found no plain file, {_ALLOWED}")
    return os.fdopen(handle, "a+", encoding="utf-8")


def _try(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
