"""report.html: a page that says what was asked, what was found and what was done. No network; what is too much for one
page lies in pages beside it.

Every number comes from a table, every picture from a figure file; this module only puts them into words and order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from echochamber.analysis.claims.thresholds import thresholds, thresholds_sha256
from echochamber.analysis.claims.verdicts import EXPLORATORY, NOT_HERE
from echochamber.grid import registration
from echochamber.grid.expansion import Grid, dump
from echochamber.jobs import files
from echochamber.report import completions, plots, report_tables, study_sections, web
from echochamber.report import report_facts as facts
from echochamber.report.looks import PATHS, looks
from echochamber.report.overview import outcome, summary
from echochamber.report.report_tables import settings
from echochamber.rl.audit import LIMIT
from echochamber.rl.mismatch import LIMITS

VERDICTS = ("holds", "fails", "inconclusive", NOT_HERE, EXPLORATORY)


@dataclass(frozen=True)
class Kept:
    """What is said of tables that were kept without the runs."""

    machine: Mapping[str, object]
    """As `report_facts.machine` gives it."""
    tables: str
    """Where they lie, beside the page."""
    grid: str
    """The path of the grid file."""


def render(
    grid: Grid,
    tables: Mapping[str, pd.DataFrame],
    claims: pd.DataFrame,
    unfinished: str = "",
    whole: Grid | None = None,
    kept: Kept | None = None,
) -> tuple[str, dict[str, str]]:
    """The page as HTML, and the pages beside it (name -> HTML) with the completions that are too many for it.

    Args:
        tables: as `analysis.tables.tables.read` gives them.
        claims: as `claims.evaluate`.
        unfinished: what is missing of the grid, in words; empty where nothing is.
        whole: the grid with what is missing, if something is.
        kept: without runs, and so without completions.

    Reads figures, samples, question sets, mixtures and provenance of the grid; what is missing of them is left out.
    """
    report, *beside = filled = completions.pages(grid)
    outcomes = [outcome(grid, tables, part) for _, part in settings(tables)]
    context: dict[str, Any] = {
        "file": grid.file,
        "home": "",
        "looks": looks(),
        "unfinished": unfinished,
        "kept": kept,
        "seeds": _seeds(grid),
        "studies": [study_sections.section(grid, tables, claims, name, whole or grid) for name in grid.file.studies],
        "outcomes": outcomes,
        "summary": summary(outcomes),
    }
    context["machine"] = kept.machine if kept else facts.machine(grid)
    context |= _world(grid, tables) | _tables(grid, tables) | _claims(whole or grid, claims)
    templates = web.environment()
    main = templates.get_template("report.html.j2").render(context | {"data": _data(grid, filled, report)})
    pages = {
        page.name: templates.get_template("completions.html.j2").render(
            {"file": grid.file, "home": "../report.html", "looks": looks(), "part": part, "parts": len(beside)}
            | {"data": _data(grid, filled, page)}
        )
        for part, page in enumerate(beside, start=1)
    }
    return main, pages


def save(main: str, beside: Mapping[str, str], folder: Path) -> Path:
    """The page as folder/report.html, the others in folder/report/. Returns the path of the first."""

    def pages(aside: Path) -> None:
        aside.mkdir()
        for name, text in beside.items():
            (aside / name).write_text(text, encoding="utf-8")

    files.write_aside(folder / completions.FOLDER, pages)
    files.write_text(folder / "report.html", main)
    return folder / "report.html"


def _data(grid: Grid, filled: list[completions.Page], page: completions.Page) -> dict[str, Any]:
    """What the scripts of one page read."""
    return {
        "looks": web.in_script([asdict(look) for look in looks()]),
        "marks": web.in_script(PATHS),
        "index": web.in_script(completions.index(grid, filled, page)),
        "chunks": list(page.chunks.values()),
        "plots": {} if page.name else _plots(grid),
    }


def _plots(grid: Grid) -> dict[str, str]:
    """Figure -> its numbers, packed; those without numbers are left out."""
    packed = {}
    for study, kind in grid.figures:
        if numbers := plots.plot(kind, grid.paths.figures / f"{study}-{kind}.csv"):
            packed[f"{study}-{kind}"] = web.packed(numbers)
    return packed


def _world(grid: Grid, tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    return {
        "settings_of_grid": yaml.safe_dump(dump(grid.file), sort_keys=False, allow_unicode=True, width=110),
        "formats": facts.FORMATS_IN_WORDS,
        "question_sets": facts.question_sets(grid),
        "sources": facts.sources(grid),
        "mixtures": facts.mixtures(grid),
        "models": facts.models(grid, dict(tables)),
        "algorithms": facts.algorithms(grid),
        "mismatch": facts.mismatch(grid, tables),
        "mismatch_limits": LIMITS,
    }


def _tables(grid: Grid, tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    return {
        "scores": report_tables.scores(grid, tables),
        "gains": report_tables.gains(tables),
        "audit": report_tables.audit(tables),
        "audit_limit": LIMIT,
        "parts": report_tables.decomposition(tables),
        "coverage": report_tables.coverage(tables),
        "theory": report_tables.theory(tables),
        "styles": report_tables.styles(tables),
        "errors": report_tables.errors(tables),
        "judged": report_tables.judged(tables) if grid.file.judge else [],
        "judged_pairs": report_tables.judged_pairs(tables) if grid.file.judge else [],
        "process": report_tables.process(tables),
        "wrong": report_tables.wrong(tables),
        "power": report_tables.power(tables),
        "dynamics": report_tables.dynamics(tables),
        "selection": report_tables.selection(tables),
        "drift": report_tables.drift(tables),
    }


def _claims(grid: Grid, claims: pd.DataFrame) -> dict[str, Any]:
    named = claims[~claims["claim"].str.contains(".", regex=False)]
    return {
        "claims": study_sections.grouped(claims),
        "counts": counts(named),
        "claims_in_all": named["claim"].nunique(),
        "rows_in_all": len(named),
        "rules": thresholds(),
        "thresholds_sha256": thresholds_sha256(grid.file),
        "registered": registration.in_words(grid.file, thresholds_sha256(grid.file)),
    }


def counts(rows: pd.DataFrame) -> dict[str, int]:
    """How many claims have which verdict, each counted once. rows: of whole claims, as in claims.csv.

    A claim's verdict is its primary row's; without one it is exploratory, if any of its settings can be asked.
    """
    said = []
    for _, own in rows.groupby("claim", sort=False):
        primary = own.loc[own["primary"], "verdict"]
        asked = (own["verdict"] == EXPLORATORY).any()
        said.append(primary.iloc[0] if len(primary) else EXPLORATORY if asked else NOT_HERE)
    return {verdict: said.count(verdict) for verdict in VERDICTS}


def _seeds(grid: Grid) -> str:
    models = sorted({m.seed for m in grid.trained_models.values()})
    runs = sorted({run.seed for run in grid.runs.values()})
    return f"pretraining seeds {', '.join(map(str, models)) or 'none'}; RL seeds {', '.join(map(str, runs)) or 'none'}"
