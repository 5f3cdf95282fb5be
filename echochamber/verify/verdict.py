"""What a verification returns, and the counts that a trainer keeps with its state."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

STATUSES = ("ok", "syntax", "raised", "unsupported", "limit", "timeout", "crashed", "no_answer", "truncated", "error")
"""How an answer was reached, or why there is none. Of the program where one ran, of the answer's parsing elsewhere;
`truncated`: no end token, so nothing was read; `error`: the verifier itself failed in it, and the log says how."""

FLAGS = ("truncated", "mixed", "repeats", "box_disagrees", "tool")
"""Of a completion in samples; `tool`: an output was inserted into it while it was decoded."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of one completion.

    `format` is judged from the completion alone. `answer_key` is canonical: equivalent answers share it, and a
    majority vote uses nothing else.
    """

    correct: bool
    format: str
    answer: str | None
    answer_key: str | None
    status: str
    flags: frozenset[str] = frozenset()


_lock = threading.Lock()
_counts: Counter[str] = Counter()


def count(name: str, by: int = 1) -> None:
    with _lock:
        _counts[name] += by


def count_statuses(statuses: Iterable[str]) -> None:
    """Add returned verdicts: `verdicts`, and one count per status. Every duplicate counts, so that the numbers do
    not depend on how completions were cut into batches."""
    counts = Counter(f"status_{status}" for status in statuses)
    with _lock:
        _counts["verdicts"] += counts.total()
        _counts.update(counts)


def counters() -> dict[str, int]:
    """This process's counts so far: `verdicts`, `status_<status>` (`status_timeout`: the only verdicts that another
    run may not repeat), `programs` and `symbolic` (work done, after duplicates were dropped), `program_retries`,
    `worker_restarts`."""
    with _lock:
        return dict(_counts)


def restore_counters(state: Mapping[str, int]) -> None:
    """Replace the counts by those that a training state holds."""
    with _lock:
        _counts.clear()
        _counts.update(state)


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


def register_fork() -> None:
    import os

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)


register_fork()
