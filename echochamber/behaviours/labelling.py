"""The labels of many completions, in bounded time: patterns and functions meet whatever a model writes.

A test that is not done with one completion after `SECONDS` of processor time does not hold, and is counted; one that
is not done `MOST` times stops the job with one line, as does one that raises or returns neither True nor False. Time
is limited by a signal, so that this is of the main thread alone; code in C that never comes back is not stopped.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import numpy as np

from echochamber.behaviours.partition import Partition
from echochamber.errors import UserError

LONGEST = 20_000
"""Characters of a completion that are looked at."""
SECONDS = 1.0
MOST = 20


class _Slow(BaseException):
    """A test took too long; no Exception, which a function might take for its own."""


def _end(number: int, frame: FrameType | None) -> None:
    raise _Slow


@contextmanager
def _signal() -> Iterator[None]:
    before = signal.signal(signal.SIGPROF, _end)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def label(partition: Partition, texts: Sequence[str], where: str) -> tuple[list[str], int]:
    """The label of each text, and how many were not done in time: those have the last label, `no` or the rest.

    Args:
        where: names the behaviour in errors.

    Raises:
        UserError: a label that is none, a function that fails, or `MOST` texts that were not done in time.
    """
    if partition.label is None:
        raise ValueError(f"{where}: labels by length have no text to look at")
    known: dict[str, str] = {}
    slow = 0
    with _signal():
        for text in texts:
            if text in known:
                continue
            try:
                signal.setitimer(signal.ITIMER_PROF, SECONDS)
                known[text] = partition.label(text[:LONGEST])
                signal.setitimer(signal.ITIMER_PROF, 0)
            except _Slow:
                known[text], slow = partition.labels[-1], slow + 1
                if slow >= MOST:
                    line = f"found {slow} completions that take longer than {SECONDS:g} s each"
                    raise UserError(f"{where}: {line}, allowed: a test that is fast on any text") from None
            except UserError as error:
                raise UserError(f"{where}: {error}") from None
    return [known[text] for text in texts], slow


def by_length(partition: Partition, tokens: np.ndarray, base: np.ndarray) -> list[str]:
    """The quarter of the base model's lengths that each length lies in. tokens, base: (completions,), any order."""
    bounds = np.quantile(base, [0.25, 0.5, 0.75])
    return [partition.labels[i] for i in np.searchsorted(bounds, tokens, side="left")]
