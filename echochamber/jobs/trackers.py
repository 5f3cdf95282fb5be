"""Training metrics to TensorBoard, Weights & Biases or trackio, through their own libraries: extras, and only if asked.

A job is one run there, under an id that its spec gives: one that is interrupted goes on under the same id, and no row
is logged twice. Nothing here ends or changes a job: what a library raises is a warning in the log, and switches it off
for the rest of the job. Which ones is said by the environment, since a tracker is no part of what a job is.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import logging
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from echochamber.jobs import files
from echochamber.jobs.job import Job

NAMES, FOLDER = "ECHO_TRACKERS", "ECHO_TRACKERS_FOLDER"
"""Environment variables: which trackers, joined by commas, and where they write."""
LOGGED = "tracked.json"
"""In a state folder: the last step that each tracker has."""
SECONDS_TO_START = 30.0
"""How long a service may take to answer when a run begins."""

log = logging.getLogger(__name__)

Row = Mapping[str, Any]
Numbers = dict[str, float]


class Run(NamedTuple):
    """What a job is called at a tracker."""

    project: str
    """The grid's name."""
    name: str
    """The job's path within the grid's results, e.g. `runs/tg/nano/seed0/grpo/asked/seed0`."""
    id: str
    """Of this name and spec."""
    config: dict[str, Any]
    """The axes of the grid, and the spec."""


class Tracker(NamedTuple):
    """A run that has begun at one tracker."""

    log: Callable[[int, Numbers], object]
    """(step, values)."""
    close: Callable[[], object]


def missing(names: Sequence[str]) -> list[str]:
    """One line for each tracker whose library is not installed."""
    return [
        f"trackers: found {name}, which is not installed, allowed: once pip install {name} was run, or without it"
        for name in names
        if importlib.util.find_spec(name) is None
    ]


def axes(out: Path) -> dict[str, str]:
    """The axes of the grid that the folder of a job's results names."""
    parts = out.parts
    if "runs" in parts:
        *base, algorithm, prompts, seed = parts[len(parts) - parts[::-1].index("runs") :]
        return _of_base(base) | {"algorithm": algorithm, "prompts": prompts, "seed": seed.removeprefix("seed")}
    return _of_base(parts[len(parts) - parts[::-1].index("models") :]) if "models" in parts else {}


def _of_base(parts: Sequence[str]) -> dict[str, str]:
    """Of a base model: an imported one has a name alone."""
    named = {"base": "/".join(parts)}
    if len(parts) == 3:
        named |= {"mixture": parts[0], "scale": parts[1], "model_seed": parts[2].removeprefix("seed")}
    return named


def run_of(job: Job[Any], results: Path) -> Run:
    """What a job is called at a tracker. results: the folder of the grid's results."""
    out, root = job.out.absolute(), results.absolute()
    name = out.relative_to(root).as_posix() if out.is_relative_to(root) else out.name
    spec = job.spec.canonical()
    id = hashlib.sha256(json.dumps([name, spec], sort_keys=True).encode()).hexdigest()[:16]
    return Run(root.name, name, id, axes(Path(name)) | {"stage": job.stage, "spec": spec})


@contextmanager
def following(job: Job[Any]) -> Iterator[Callable[[Sequence[Row]], None]]:
    """What takes the rows of a job's metrics.csv so far, as often as there are more."""
    names = [name for name in os.environ.get(NAMES, "").split(",") if name]
    if not names:
        yield lambda rows: None
        return
    folder = Path(os.environ[FOLDER])
    trackers = _begun(names, run_of(job, folder.parent), folder)
    last = _logged(job.state)

    def follow(rows: Sequence[Row]) -> None:
        for name, tracker in list(trackers.items()):
            new = [row for row in rows if row["step"] > last.get(name, 0)]
            with _harmless(name, trackers):
                for row in new:
                    tracker.log(int(row["step"]), numbers(row))
                    last[name] = int(row["step"])
        with contextlib.suppress(OSError):
            files.write_json(job.state / LOGGED, last)

    try:
        yield follow
    finally:
        for name, tracker in list(trackers.items()):
            with _harmless(name, trackers):
                tracker.close()


def numbers(row: Row) -> Numbers:
    """The values of a row that a tracker can draw."""
    return {
        name: float(value)
        for name, value in row.items()
        if name != "step" and isinstance(value, int | float) and math.isfinite(value)
    }


def _logged(state: Path) -> dict[str, int]:
    try:
        said = json.loads((state / LOGGED).read_text(encoding="utf-8"))
        return {str(name): int(step) for name, step in said.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _begun(names: Sequence[str], run: Run, folder: Path) -> dict[str, Tracker]:
    trackers: dict[str, Tracker] = {}
    for name in names:
        with _harmless(name, trackers):
            trackers[name] = BEGIN[name](run, folder / name)
    return trackers


@contextmanager
def _harmless(name: str, trackers: dict[str, Tracker]) -> Iterator[None]:
    """Whatever a library raises is a warning, and the end of this tracker for this job."""
    try:
        yield
    except Exception as error:
        trackers.pop(name, None)
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        log.warning("tracker %s is off for the rest of this job: %s", name, said)


def _tensorboard(run: Run, folder: Path) -> Tracker:
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder / run.name / run.id))
    writer.add_text("config", f"```\n{json.dumps(run.config, indent=1)}\n```")

    def write(step: int, values: Numbers) -> None:
        for name, value in values.items():
            writer.add_scalar(name, value, step)

    return Tracker(write, writer.close)


def _wandb(run: Run, folder: Path) -> Tracker:
    import wandb

    folder.mkdir(parents=True, exist_ok=True)
    settings = wandb.Settings(init_timeout=SECONDS_TO_START, silent=True, console="off", x_disable_stats=True)
    here = {"dir": str(folder), "settings": settings, "config": run.config}
    begun = wandb.init(project=run.project, name=run.name, id=run.id, resume="allow", **here)
    return Tracker(lambda step, values: begun.log(values, step=step), begun.finish)


def _trackio(run: Run, folder: Path) -> Tracker:
    os.environ.setdefault("TRACKIO_DIR", str(folder.absolute()))
    import trackio

    name = f"{run.name.replace('/', ' ')} {run.id}"
    quiet = {"embed": False, "auto_log_gpu": False, "auto_log_cpu": False}
    begun = trackio.init(project=run.project, name=name, resume="allow", config=run.config, **quiet)
    return Tracker(lambda step, values: begun.log(values, step=step), begun.finish)


BEGIN: dict[str, Callable[[Run, Path], Tracker]] = {"tensorboard": _tensorboard, "wandb": _wandb, "trackio": _trackio}
"""How each tracker begins a run, or goes on with it."""
