"""Where the models and runs of a grid are, from their own files alone: beside working jobs, from any machine.

A job is `done` when its outputs are there and belong to what the grid says now, `running` while a living process holds
the lock of its state folder, `failed` when its last attempt ended with an error, `interrupted` when there is something
to go on from, else `waiting`.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pandas as pd

from echochamber import attempts, lock
from echochamber.grid import Grid, Model, Run
from echochamber.verify.formats import FORMATS

STATES = ("running", "failed", "interrupted", "waiting", "done")


def table(grid: Grid) -> pd.DataFrame:
    """One row for every model that is trained and every run.

    Returns:
        id, state, done, total, unit (of the two before), reward, format (the most frequent one), loss (nats per token),
        per_second, seconds_left, restarts (after an interruption), failures (errors and kills), error.
    """
    models = [_row(grid, model, grid.pretrain_spec(model)) for model in grid.trained_models.values()]
    runs = [_row(grid, run, grid.posttrain_spec(run)) for run in grid.runs.values()]
    return pd.DataFrame([*models, *runs], columns=COLUMNS)


COLUMNS = ["id", "state", "done", "total", "unit", "reward", "format", "loss", "per_second", "seconds_left"]
COLUMNS += ["restarts", "failures", "error"]


def _row(grid: Grid, job: Model | Run, spec: dict[str, Any]) -> dict[str, Any]:
    out, state = grid.paths.job(job), grid.paths.state(job.id)
    spec = json.loads(json.dumps(spec))
    row: dict[str, Any] = {"id": job.id, "state": "waiting"}
    if (_json(out / "provenance.json") or {}).get("spec") == spec:
        row["state"] = "done"
        row |= _last_metrics(out / "metrics.csv")
    running = lock.is_held(state)
    if _json(state / "spec.json") != spec:
        return row | ({"state": "running"} if running else {})
    tries, place = attempts.read(state), _json(state / "progress.json") or {}
    row |= {"restarts": tries.interrupted, "failures": tries.failed + tries.killed}
    row |= {name: place.get(name) for name in ("done", "total", "unit")}
    if row["state"] == "done":
        return row
    row |= {name: place.get("numbers", {}).get(name) for name in ("reward", "format", "loss")}
    row["state"] = "running" if running else "failed" if tries.error else "interrupted"
    row["error"] = tries.error
    if running and place.get("per_second"):
        row["per_second"] = place["per_second"]
        row["seconds_left"] = (place["total"] - place["done"]) / place["per_second"]
    return row


def _last_metrics(file: Path) -> dict[str, Any]:
    """Reward and most frequent format, or loss, of the last row."""
    with file.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
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


def render(grid: Grid) -> str:
    """The table for a terminal, what failed, and how many there are of each."""
    rows = table(grid)
    shown = pd.DataFrame(
        {
            "model or run": rows["id"],
            "state": rows["state"],
            "step": [
                "" if pd.isna(row.total) else f"{row.done:g} of {row.total:g} {row.unit}s" for row in rows.itertuples()
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
    lines.append(f"{grid.file.name}: {counted}; {done} of {len(grid.evaluations)} evaluations done")
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
