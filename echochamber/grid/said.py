"""What there is to say of a grid's jobs while it runs: a result in a few words, how far a running one is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from echochamber.grid.expansion import Grid
from echochamber.grid.status import last_metrics
from echochamber.jobs.console import HowFar


def job_id(rule: str, wildcards: Mapping[str, str]) -> str | None:
    """The model or run that a job of training makes; None for other jobs."""
    if rule == "pretrain":
        return "{mixture}/{scale}/seed{seed}".format(**wildcards)
    return wildcards["run"] if rule == "posttrain" else None


def result(grid: Grid, rule: str, wildcards: Mapping[str, str]) -> str:
    """Of a finished job: loss of a model, reward and winner of a run, the page of the report; empty for others."""
    if rule == "write_report":
        return str(grid.paths.root / "report.html")
    id = job_id(rule, wildcards)
    if id is None:
        return ""
    job = grid.runs.get(id) or grid.trained_models[id]
    last = last_metrics(grid.paths.job(job) / "metrics.csv")
    if "loss" in last:
        return f"loss {last['loss']:.3f}"
    return f"reward {last['reward']:.3f}, mostly {last['format']}" if last else ""


def how_far(grid: Grid, rule: str, wildcards: Mapping[str, str]) -> HowFar | None:
    """Of a running job, from its state folder; None where it has not said anything."""
    id = job_id(rule, wildcards)
    if id is None:
        return None
    progress = _json(grid.paths.state(id) / "progress.json")
    if not progress.get("total"):
        return None
    rate = progress.get("per_second")
    left = (progress["total"] - progress["done"]) / rate if rate else None
    return HowFar(progress["done"], progress["total"], left)


def _json(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
