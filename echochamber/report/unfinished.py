"""The report of a grid whose jobs are not all done: what is there, with what is missing said, and nothing made up.

Tables are joined from measures that are there and measured anew where not; figures are drawn into a folder apart. A
study has verdicts only when nothing of it is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from echochamber import figures
from echochamber.analysis.behaviours import join as behaviours
from echochamber.analysis.claims import claims
from echochamber.analysis.tables import measure, table_files
from echochamber.analysis.tables.join import TABLES, join
from echochamber.grid.expansion import Grid
from echochamber.grid.finished import Finished, finished
from echochamber.report import page
from echochamber.report.findings import restricted
from echochamber.settings import OF_BEHAVIOURS

TOLD = 12
"""Names of missing models and runs that are told; of more, how many."""


@dataclass(frozen=True)
class Report:
    """What was written, and of how much."""

    path: Path
    missing: str
    """In words; empty: nothing."""
    left_out: list[str]
    """Figures that cannot be drawn of what is there, each with why."""


def write(grid: Grid) -> Report:
    """The page of what is finished, into `now/report.html` of the grid's results."""
    done = finished(grid)
    tables = build(done)
    left_out = _draw(done, tables)
    missing = in_words(grid, done)
    judged = judge(grid, done, tables)
    main, beside = page.render(done, tables, judged, unfinished=missing, whole=grid)
    return Report(page.save(main, beside, done.paths.now), missing, left_out)


def build(done: Finished) -> dict[str, pd.DataFrame]:
    """All tables of what is finished. Raises ValueError, in one line, if a file is unreadable."""

    def measured(id: str, benchmark: str) -> Mapping[str, pd.DataFrame]:
        path, samples = done.paths.measures(id, benchmark), done.paths.samples(id, benchmark)
        if path.exists() and path.stat().st_mtime >= samples.stat().st_mtime:
            return table_files.read_measures(path, measure.OF_RUNS)
        return measure.measure(done.measure_spec(done.evaluations[id, benchmark], benchmark))

    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in TABLES}
    join(done, measured, lambda name, rows: parts[name].append(rows))
    return {
        name: table.typed(pd.concat(parts[name], ignore_index=True)) if parts[name] else table_files.no_rows(table)
        for name, table in TABLES.items()
    }


def judge(grid: Grid, done: Finished, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """claims.csv of the studies that are whole; the claims of the others stand as `not in this grid`, with why."""
    seeds = {name: grid.file.studies[name].model_seeds for name in done.whole}
    table = claims.evaluate(restricted(grid, seeds), tables, grid)
    asked = {claim: name for name, study in grid.file.studies.items() for claim in study.claims if name not in seeds}
    reasons = [f"not finished: study {asked[claim]}" if claim in asked else None for claim in table["claim"]]
    table["metric"] = [
        reason if reason and study == "" else metric
        for reason, study, metric in zip(reasons, table["study"], table["metric"], strict=True)
    ]
    return table


def _draw(done: Finished, tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """The figures that can be drawn; returns those that cannot."""
    left_out = []
    for study, kind in done.figures:
        stem = done.paths.figures / f"{study}-{kind}"
        for old in stem.parent.glob(f"{stem.name}.*"):
            old.unlink()
        if not done.study_runs(done.file.studies[study]):
            left_out.append(f"{stem.name}: no run of the study is finished")
            continue
        try:
            labelled = behaviours.read(done, study) if kind in OF_BEHAVIOURS else {}
            figure, caption, data = figures.draw(done, study, kind, {**tables, **labelled})
        except (ValueError, KeyError, IndexError) as error:  # half a ladder, one of a pair
            left_out.append(f"{stem.name}: {error}")
            continue
        note = "" if study in done.whole else " Unfinished: some runs of the study are missing."
        figures.save(figure, caption + note, data, stem)
    return left_out


def in_words(grid: Grid, done: Finished) -> str:
    """How much is finished, and what is missing; empty where nothing is."""
    jobs = [*grid.models, *grid.runs]
    missing = [id for id in jobs if id not in done.ids]
    if not missing:
        return ""
    named = ", ".join(missing[:TOLD]) + (f" and {len(missing) - TOLD} more" if len(missing) > TOLD else "")
    return (
        f"{len(done.models)} of {len(grid.models)} models and {len(done.runs)} of {len(grid.runs)} RL runs are trained "
        f"and evaluated; {len(done.whole)} of {len(grid.file.studies)} studies are whole; only these have verdicts. "
        f"Missing: {named}."
    )
