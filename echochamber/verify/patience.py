"""How long a batch may wait for its workers, and whether it was asked to stop: known to every thread that verifies it.

Each answer has a limit of its own (`sandbox.py`, `symbolic_worker.py`). A batch in which hundreds of answers meet it
would take a quarter of an hour, so that the seconds lost to such answers are bounded too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from echochamber.errors import Interrupted

SECONDS_SERIAL = 1.0
"""Seconds lost to answers at their limits after which the rest of a batch goes to several workers at once."""
SECONDS_BATCH = 12.0
"""Seconds lost by each of these workers after which what is left has no worker, and the status `timeout`: of a batch of
up to `BATCH` completions, and of a larger one in proportion."""
BATCH = 512


class Patience:
    """The seconds lost by one batch, over all threads, and its stop signal."""

    def __init__(self, completions: int, stop: Callable[[], bool] | None = None) -> None:
        self._asked, self._stopped = stop, threading.Event()
        self.seconds = SECONDS_BATCH * max(1.0, completions / BATCH)
        self._lock, self.lost = threading.Lock(), 0.0
        self.threads = 1

    def lose(self, seconds: float) -> None:
        """Count seconds that one answer took to end at a limit."""
        with self._lock:
            self.lost += seconds

    @property
    def ended(self) -> bool:
        """Whether no worker is to be asked any more."""
        return self.lost > self.seconds * self.threads

    def stop(self) -> None:
        """Stop all threads of the batch."""
        self._stopped.set()

    def stopping(self) -> bool:
        return self._stopped.is_set() or (self._asked is not None and self._asked())


_of_thread = threading.local()


@contextmanager
def of_this_thread(patience: Patience) -> Iterator[None]:
    """Bind a batch's patience to the thread that works on it."""
    _of_thread.patience = patience
    try:
        yield
    finally:
        del _of_thread.patience


def ended() -> bool:
    """Whether the batch of this thread has no time left for workers."""
    patience = getattr(_of_thread, "patience", None)
    return patience is not None and patience.ended


def check() -> None:
    """Raise Interrupted if the batch of this thread was asked to stop."""
    patience = getattr(_of_thread, "patience", None)
    if patience is not None and patience.stopping():
        raise Interrupted("while verifying")
