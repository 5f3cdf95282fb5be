"""What pretraining and post-training jobs share: one writer, the state to resume from, the outputs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pandas as pd

from echochamber.errors import Interrupted
from echochamber.jobs import attempts, files, trackers
from echochamber.jobs.job import Job
from echochamber.jobs.lock import sole_writer
from echochamber.models import device as devices
from echochamber.models.checkpoint import TrainingState
from echochamber.models.parallel import Processes

Rows = list[dict[str, float]]


def run(
    job: Job[Any],
    processes: Processes,
    train: Callable[[TrainingState | None], tuple[Rows, Rows]],
    report: Callable[[], dict[str, Any]] = dict,
) -> None:
    """Train unless an earlier call of the same spec has finished, then write the job's outputs.

    Args:
        processes: that work on the job. The first one holds the lock and writes; the others train.
        train: called with the state, which the first process alone has; returns the rows of metrics.csv and of
            timings.csv.
        report: called after training; what provenance.json is to say besides.
    """
    with ExitStack() as stack:
        held = processes.first and stack.enter_context(sole_writer(job.state, job.stop))
        if not processes.agree(held):
            raise Interrupted(processes.agree(job.stop.reason))
        state = TrainingState(job.state, job.spec.canonical()) if processes.first else None
        earlier = stack.enter_context(attempts.attempt(job.state)) if processes.first else None
        result = processes.agree(state.finished() if processes.first else None)
        if result is None:
            if state:
                state.follow = stack.enter_context(trackers.following(job))
            metrics, timings = train(state)
            result = {"metrics": metrics, "timings": timings, "report": report()}
            if processes.first:
                state.finish(result)
        if processes.first:
            state.publish(job.out)
            for name in ("metrics", "timings"):
                files.write_csv(job.out / f"{name}.csv", pd.DataFrame(result[name]))
            about = {"device": devices.name(processes.device), "processes": processes.size, "seed": job.spec.seed}
            job.write_provenance(**about, attempts=earlier.counts, **result["report"])
