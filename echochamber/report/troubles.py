"""What went wrong in the runs of a study, in words: from what jobs have left behind, nothing is inferred."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from echochamber.analysis.studies import StudyView
from echochamber.grid.expansion import Grid
from echochamber.grid.ids import Model, Run
from echochamber.jobs import attempts
from echochamber.report.report_facts import mismatch, provenance
from echochamber.rl.audit import LIMIT
from echochamber.rl.mismatch import LIMITS


@dataclass(frozen=True)
class Trouble:
    """Something that went wrong in one job, or a job that is missing."""

    id: str
    kind: str
    """`missing`, `stopped with an error`, `began again`, `sampler and trainer differ`, ..."""
    words: str


def troubles(grid: Grid, tables: Mapping[str, pd.DataFrame], study: str) -> list[Trouble]:
    """Of the models and runs of one study, in the order of the grid."""
    settings = grid.file.studies[study]
    view = StudyView(grid, study, tables)
    jobs: list[Model | Run] = [m for m in grid.study_models(settings) if not m.imported]
    jobs += grid.study_runs(settings)
    differing = {row["id"]: row for row in mismatch(grid, tables)}
    logs = {str(id): log for id, log in view.training.groupby("id", sort=False)}
    rows: list[Trouble] = []
    for job in jobs:
        rows += _attempts(grid, job)
        if job.id in differing:
            rows.append(_mismatch(differing[job.id]))
        if job.id in logs:
            rows += [Trouble(job.id, *words) for words in _log(logs[job.id])]
    return rows


def _attempts(grid: Grid, job: Model | Run) -> Iterator[Trouble]:
    record = provenance(grid.paths.job(job))
    counts = attempts.read(grid.paths.state(job.id))
    if not record:
        if counts.error:
            yield Trouble(job.id, "stopped with an error", counts.error)
        elif counts.interrupted or counts.killed or counts.running:
            yield Trouble(job.id, "not finished", "begun, and to go on")
        else:
            yield Trouble(job.id, "missing", "not begun")
        return
    ended = [
        f"{count} time{'s' if count > 1 else ''} {how}"
        for name, how in (("failed", "ended with an error"), ("killed", "killed"), ("interrupted", "interrupted"))
        if (count := record.get("attempts", {}).get(name, 0))
    ]
    if ended:
        yield Trouble(job.id, "began again", ", ".join(ended) + "; went on from its saved state and finished")


def _mismatch(row: dict[str, object]) -> Trouble:
    mean, largest = LIMITS[row["precision"]]  # type: ignore[index]
    words = (
        f"since step {row['step']}; at worst {row['mean']:.3g} nats a token on average (limit {mean:g} in "
        f"{row['precision']}), {row['largest']:.3g} at one token (limit {largest:g})"
    )
    return Trouble(str(row["id"]), "sampler and trainer differ", words)


def _log(log: pd.DataFrame) -> Iterator[tuple[str, str]]:
    log = log.sort_values("step")
    if "audit_warning" in log and (log["audit_warning"] == 1).any():
        step = int(log.loc[log["audit_warning"] == 1, "step"].iloc[0])
        yield (
            "reward and right steps have parted",
            f"since step {step}: their difference has grown by more than {LIMIT:g}",
        )
    for column, words in (
        ("verifier_errors", "completions in which the verifier itself failed"),
        ("verifier_timeouts", "completions whose program ran out of time"),
    ):
        if column in log and (count := log[column].sum()) > 0:
            yield "verifier", f"{count:,.0f} {words}"
    if "share_truncated" in log and len(log) and (share := log["share_truncated"].iloc[-1]) >= 0.1:
        yield "unfinished completions", f"{share:.0%} of the last rollout batch have no end token"
