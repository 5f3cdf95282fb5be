"""Where the models and runs of a grid are, from their own files alone: beside working jobs, from any machine.

A job is `done` when its outputs are there and belong to what the grid says now, `running` while a living process holds
the lock of its state folder, `failed` when its last attempt ended with an error, `interrupted` when there is something
to go on from, else `waiting`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from echochamber.formats import FORMATS
from echochamber.grid import code_lock
from echochamber.grid.expansion import Grid
from echochamber.grid.ids import Model, Run
from echochamber.jobs import attempts, closure, lock
from echochamber.jobs.spec import Spec
from echochamber.stats.columns import Column, Table

Vouched = Callable[[Spec], Spec]


def as_it_is(spec: Spec) -> Spec:
    """For grids that read nothing from outside."""
    return spec


STATUS = Table(
    "status",
    "a model that is trained, or a run (printed, no file)",
    (
        Column("id", "text", "of the model or run"),
        Column("state", "text", "`running`, `failed`, `interrupted`, `waiting` or `done`"),
        Column("done", "number", "how far it is"),
        Column("total", "number", "how far it has to go"),
        Column("unit", "text", "of the two before"),
        Column("reward", "number", "mean of the last row of metrics.csv"),
        Column("format", "text", "the most frequent one of that row"),
        Column("loss", "number", "of that row", "nats per token"),
        Column("per_second", "number", "units a second"),
        Column("seconds_left", "number", "at this speed", "s"),
        Column("restarts", "number", "after an interruption"),
        Column("failures", "number", "errors and kills"),
        Column("error", "text", "of the last attempt"),
    ),
)
STATES = ("running", "failed", "interrupted", "waiting", "done")


def table(grid: Grid, vouched: Vouched = as_it_is) -> pd.DataFrame:
    """One row for every model that is trained and every run.

    Args:
        vouched: adds to a spec the contents of what its job reads from outside the grid (`data.inputs`).

    Returns:
        The table `STATUS`.
    """
    models = [
        _row(grid, model, vouched(grid.pretrain_spec(model)).canonical()) for model in grid.trained_models.values()
    ]
    runs = [_row(grid, run, vouched(grid.posttrain_spec(run)).canonical()) for run in grid.runs.values()]
    return pd.DataFrame([*models, *runs], columns=list(STATUS))


def _row(grid: Grid, job: Model | Run, spec: dict[str, Any]) -> dict[str, Any]:
    out, state = grid.paths.job(job), grid.paths.state(job.id)
    row: dict[str, Any] = {"id": job.id, "state": "waiting"}
    if (_json(out / "provenance.json") or {}).get("spec") == spec:
        row["state"] = "done"
        row |= last_metrics(out / "metrics.csv")
    running = lock.is_held(state)
    if _json(state / "spec.json") != spec:
        return row | ({"state": "running"} if running else {})
    tries, progress = attempts.read(state), _json(state / "progress.json") or {}
    row |= {"restarts": tries.interrupted, "failures": tries.failed + tries.killed}
    row |= {name: progress.get(name) for name in ("done", "total", "unit")}
    if row["state"] == "done":
        return row
    row |= last_metrics(state / "metrics.csv")
    row["state"] = "running" if running else "failed" if tries.error else "interrupted"
    row["error"] = tries.error
    if running and progress.get("per_second"):
        row["per_second"] = progress["per_second"]
        row["seconds_left"] = (progress["total"] - progress["done"]) / progress["per_second"]
    return row


def last_metrics(file: Path) -> dict[str, Any]:
    """Reward and most frequent format, or loss, of the last row; nothing where there is none yet."""
    try:
        with file.open(encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
    except FileNotFoundError:
        return {}
    if not rows:
        return {}
    last = rows[-1]
    if "reward_mean" not in last:
        return {"loss": float(last["loss"])}
    format = max(FORMATS, key=lambda name: float(last[f"share_{name}"] or 0))
    return {"reward": float(last["reward_mean"]), "format": format}


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None


def render(grid: Grid, vouched: Vouched = as_it_is) -> str:
    """The table for a terminal, what failed, and how many there are of each."""
    rows = table(grid, vouched)
    shown = pd.DataFrame(
        {
            "model or run": rows["id"],
            "state": rows["state"],
            "step": [
                "" if pd.isna(total) else f"{done:g} of {total:g} {unit}s"
                for done, total, unit in zip(rows["done"], rows["total"], rows["unit"], strict=True)
            ],
            "reward": rows["reward"].map("{:.3f}".format, na_action="ignore"),
            "format": rows["format"],
            "loss": rows["loss"].map("{:.3f}".format, na_action="ignore"),
            "speed": rows["per_second"].map("{:.3g}/s".format, na_action="ignore"),
            "left": rows["seconds_left"].map(_duration, na_action="ignore"),
            "restarts": rows["restarts"].map("{:g}".format, na_action="ignore"),
            "failures": rows["failures"].map("{:g}".format, na_action="ignore"),
        }
    ).fillna("")
    lines = [_aligned(shown)] if len(shown) else []
    lines += [f"{row.id}: {row.error}" for row in rows.itertuples() if row.state == "failed"]
    counts = rows["state"].value_counts()
    done = sum(grid.paths.samples(*evaluation).exists() for evaluation in grid.evaluations)
    counted = ", ".join(f"{counts[state]} {state}" for state in STATES if state in counts) or "nothing to train"
    evaluated = f"{done} of {len(grid.evaluations)} evaluations done"
    measured = sum(grid.paths.measures(*evaluation).exists() for evaluation in grid.evaluations)
    lines.append(f"{grid.file.name}: {counted}; {evaluated}, {measured} of them measured")
    if older := closure.made_by_older_code(grid.paths.root):
        lines.append(f"made by older code: {len(older)} files, {older[0].relative_to(grid.paths.root)} for one")
        lines[-1] += "".join(f"\n{change}" for change in code_lock.undeclared())
    return "\n".join(lines)


def _aligned(shown: pd.DataFrame) -> str:
    cells = [list(shown.columns), *shown.astype(str).values.tolist()]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
