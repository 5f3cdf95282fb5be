"""What pretraining and post-training jobs share: one writer, the state to resume from, the outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import torch

from echochamber import attempts, files
from echochamber import device as devices
from echochamber.checkpoint import TrainingState
from echochamber.job import Interrupted, Job
from echochamber.lock import sole_writer

Rows = list[dict[str, float]]


def run(
    job: Job,
    device: torch.device,
    train: Callable[[TrainingState], tuple[Rows, Rows]],
    report: Callable[[], dict[str, Any]] = dict,
) -> None:
    """Train unless an earlier call of the same spec has finished, then write the job's outputs.

    Args:
        train: called with the state; returns the rows of metrics.csv and of timings.csv.
        report: called after training; what provenance.json is to say besides.
    """
    with sole_writer(job.state, job.stop) as held:
        if not held:
            raise Interrupted(job.stop.reason)
        state = TrainingState(job.state, job.spec)
        with attempts.attempt(job.state) as earlier:
            result = state.finished()
            if result is None:
                metrics, timings = train(state)
                result = {"metrics": metrics, "timings": timings, "report": report()}
                state.finish(result)
            state.publish(job.out)
            for name in ("metrics", "timings"):
                files.write_csv(job.out / f"{name}.csv", pd.DataFrame(result[name]))
            about = {"device": devices.name(device), "seed": job.spec["seed"], "attempts": earlier.counts}
            job.write_provenance(**about, **result["report"])
