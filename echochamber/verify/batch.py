"""A batch of judgements: in order and in this thread, and on several threads once answers at their limits cost seconds.

Each thread has worker processes of its own (`workers.use`). How long a batch may take, `patience.py` says.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from echochamber.errors import Interrupted
from echochamber.verify import patience, workers
from echochamber.verify.patience import SECONDS_SERIAL, Patience

THREADS = min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
SLOW = frozenset(("timeout", "limit", "crashed", "error"))
"""Statuses of answers that ended at a limit: what they took is lost."""
SECONDS_TO_STOP = 2.5
"""How long a stopped batch waits for its threads, each of which is in one answer."""


Job = TypeVar("Job", bound=Hashable)
Result = TypeVar("Result")


def run(
    jobs: Sequence[Job],
    judge: Callable[[Job], Result],
    slow: Callable[[Result], bool],
    stop: Callable[[], bool] | None = None,
) -> dict[Job, Result]:
    """Judge each job once. Raises Interrupted if `stop()` turned true meanwhile, and what `judge` raises."""
    results: dict[Job, Result] = {}
    shared = Patience(len(jobs), stop)

    def one(job: Job) -> None:
        patience.check()
        started = time.monotonic()
        result = results[job] = judge(job)
        if slow(result):
            shared.lose(time.monotonic() - started)

    with patience.of_this_thread(shared):
        for i, job in enumerate(jobs):
            if shared.lost > SECONDS_SERIAL:
                _on_threads(jobs[i:], one, shared)
                break
            one(job)
    return results


def _on_threads(jobs: Sequence[Job], one: Callable[[Job], None], shared: Patience) -> None:
    """Do the rest on `THREADS` threads, while this one waits for a stop signal."""
    left: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in jobs:
        left.put(job)
    failures: list[BaseException] = []
    shared.threads = THREADS

    def work(number: int) -> None:
        workers.use(number)
        try:
            with patience.of_this_thread(shared):
                while True:
                    one(left.get_nowait())
        except queue.Empty:
            pass
        except BaseException as failure:
            failures.append(failure)
            shared.stop()

    # Daemons: a thread in the middle of an answer does not hold back a process that ends.
    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads) and not shared.stopping():
            threads[0].join(0.05) if threads[0].is_alive() else time.sleep(0.05)
    finally:
        if any(thread.is_alive() for thread in threads):
            shared.stop()
            deadline = time.monotonic() + SECONDS_TO_STOP
            for thread in threads:
                thread.join(max(0.0, deadline - time.monotonic()))
    raised = [failure for failure in failures if not isinstance(failure, Interrupted)]
    if raised:
        raise raised[0]
    if failures or shared.stopping():
        raise Interrupted("while verifying")
