"""The claims judged on the tables of a grid: claims.csv.

A study is asked the claims that it lists. A row is a claim about one setting; the rows of its parts follow (C1.1,
C1.2). One row of each claim is primary, named in the grid file before the runs (or the only one there is): it alone
gets a verdict, after Holm's correction over all primary rows of the grid. The others are exploratory: numbers and
intervals without a verdict. Thresholds are in `thresholds.yaml` beside this file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from echochamber.analysis.claims import LIST, verdicts
from echochamber.analysis.claims.claim import Finding, Where
from echochamber.analysis.claims.thresholds import thresholds
from echochamber.analysis.claims.verdicts import EXPLORATORY, NOT_HERE, Judged, Part
from echochamber.analysis.studies import StudyView
from echochamber.grid.expansion import Grid
from echochamber.settings.claims import AXES, PACKS
from echochamber.stats.columns import Column, Table

COLUMNS = Table(
    "claims",
    "a claim of the paper about one setting of a study, or a part of it (C1.1)",
    (
        Column("claim", "text", "its number"),
        Column("world", "text", "what kind of world the grid is"),
        Column("study", "text", "name in the grid file"),
        Column("mixture", "text", "that the row is about; empty: it is about several"),
        Column("scale", "text", "that the row is about; empty: several"),
        Column("algorithm", "text", "that the row is about; empty: several"),
        Column("prompts", "text", "that the row is about; empty: several"),
        Column("benchmark", "text", "that the row is about; empty: several"),
        Column("primary", "boolean", "the one row of the claim that gets a verdict"),
        Column("hypothesis", "text", "the claim in words"),
        Column("metric", "text", "what is measured"),
        Column("estimate", "number", "the measurement"),
        Column("low", "number", "lower end of its 95 % interval over seeds and questions"),
        Column("high", "number", "upper end"),
        Column("low_given_models", "number", "lower end over questions alone: what holds of these very models"),
        Column("high_given_models", "number", "upper end"),
        Column("threshold", "number", "that the claim sets"),
        Column("smallest_effect", "number", "the smallest that the replicates can show"),
        Column("n_seeds", "integer", "replicates"),
        Column("p_value", "number", "two-sided"),
        Column("adjusted_p_value", "number", "after Holm's correction over the primary rows"),
        Column("verdict", "text", "of a primary row; else that it is exploratory"),
        Column("figure", "text", "that shows it"),
    ),
)


@dataclass(frozen=True)
class Row:
    """A claim about one setting of one study, judged."""

    claim: str
    study: str
    finding: Finding
    parts: list[Judged]
    primary: bool


Tables = Mapping[str, pd.DataFrame]
"""As `analysis.tables.tables.read` gives them."""


def evaluate(grid: Grid, tables: Tables, whole: Grid | None = None) -> pd.DataFrame:
    """The same as `evaluate_by_study` from the tables of the whole grid."""
    return evaluate_by_study(grid, lambda _: tables, whole)


def evaluate_by_study(grid: Grid, tables_of: Callable[[str], Tables], whole: Grid | None = None) -> pd.DataFrame:
    """claims.csv of a grid: at least one row for each of `settings.CLAIMS`, of packs only for those that a study lists.

    Args:
        tables_of: study -> its tables, asked once for each study that lists claims, and not kept.
        whole: the grid with the studies that are not judged yet, whose primary rows count in Holm's correction.

    Raises ValueError if a primary row that the grid file names is not one row but several.
    """
    rows, rules = judged(grid, tables_of), thresholds()
    first = [row for row in rows if row.primary]
    before = [verdicts.combined(row.parts, rules) for row in first]
    tails = [verdicts.p_values(row.parts) for row in first]
    family = len((whole or grid).file.primary)
    after, adjusted = verdicts.correct(before, tails, rules["level"], family)
    corrected = dict(zip(map(id, first), zip(after, adjusted, strict=True), strict=True))
    table: list[dict] = []
    for row in rows:
        verdict, adjusted_p = corrected.get(id(row), (EXPLORATORY, np.nan))
        said = verdicts.combined(row.parts, rules)
        p = verdicts.two_sided(said, *verdicts.p_values(row.parts))
        verdict = NOT_HERE if said == NOT_HERE else verdict
        common = {"world": grid.file.world, "study": row.study, "hypothesis": LIST[row.claim].hypothesis}
        common |= vars(row.finding.where) | {"primary": row.primary, "figure": _figure(grid, row)}
        result = {"p_value": p, "adjusted_p_value": adjusted_p, "verdict": verdict}
        if len(row.parts) == 1:
            table.append({"claim": row.claim} | common | _numbers(row.parts[0]) | result)
            continue
        names = [f"{row.claim}.{i}" for i in range(1, len(row.parts) + 1)]
        seeds = [j.part.replicates for j in row.parts if not j.part.missing]
        joined = {"metric": " and ".join(names), "n_seeds": min(seeds, default=0)}
        table.append({"claim": row.claim} | common | joined | result)
        for name, part in zip(names, row.parts, strict=True):
            own = part.verdict if row.primary or part.verdict == NOT_HERE else EXPLORATORY
            table.append({"claim": name} | common | _numbers(part) | {"verdict": own})
    return pd.DataFrame(table, columns=list(COLUMNS)).astype({"n_seeds": "Int64", "primary": bool})


def judged(grid: Grid, tables_of: Callable[[str], Tables]) -> list[Row]:
    """Every claim on every study that lists it, part by part, before any correction."""
    rules = thresholds()
    measured: dict[str, list[tuple[str, Finding]]] = {name: [] for name in LIST}
    for study, settings in grid.file.studies.items():
        if not settings.claims:
            continue
        view = StudyView(grid, study, tables_of(study))
        for name, claim in LIST.items():
            if name in settings.claims:
                measured[name] += [
                    (study, finding) for finding in claim.measure(view, rules) or [_nothing(claim.missing)]
                ]
    rows = []
    for name, findings in measured.items():
        if not findings and name in PACKS:
            continue
        findings = findings or [("", _nothing("no study of this grid lists it"))]
        primary = _primary(grid, name, findings)
        rows += [
            Row(name, study, finding, [verdicts.judge(part, rules) for part in finding.parts], i == primary)
            for i, (study, finding) in enumerate(findings)
        ]
    return rows


def _primary(grid: Grid, claim: str, rows: list[tuple[str, Finding]]) -> int | None:
    """Which of a claim's rows is its primary one; None: none of them is."""
    named = grid.file.primary.get(claim)
    if named is None:
        return 0 if len(rows) == 1 else None
    wanted = {axis: getattr(named, axis) for axis in AXES if getattr(named, axis) is not None}
    matching = [
        i
        for i, (study, finding) in enumerate(rows)
        if study == named.study and all(finding.where.named(axis, name) for axis, name in wanted.items())
    ]
    if len(matching) > 1:
        labels = "; ".join(rows[i][1].where.label() for i in matching)
        raise ValueError(f"primary.{claim}: found {len(matching)} rows ({labels}), allowed: axes that tell one apart")
    return matching[0] if matching else None


def _nothing(missing: str) -> Finding:
    return Finding(Where(), (Part(missing, missing=missing),))


def _numbers(j: Judged) -> dict:
    if j.verdict == NOT_HERE:
        return {"metric": j.part.what, "n_seeds": 0}
    estimate, low, high = (float(v) for v in j.interval)
    numbers = {"estimate": estimate, "low": low, "high": high, "threshold": j.part.threshold}
    numbers |= {"low_given_models": j.given_models.low, "high_given_models": j.given_models.high}
    numbers |= {"smallest_effect": verdicts.smallest_effect(j, thresholds())}
    p = verdicts.two_sided(j.verdict, j.p_holds, j.p_fails)
    return numbers | {"metric": j.part.what, "n_seeds": j.part.replicates, "p_value": p}


def _figure(grid: Grid, row: Row) -> str:
    if not row.study:
        return ""
    kinds = grid.file.studies[row.study].figures
    kind = LIST[row.claim].figure
    kind = kind if kind in kinds else next(iter(kinds), "")
    return f"figures/{row.study}-{kind}.png" if kind else ""
