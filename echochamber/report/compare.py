"""Two grids beside each other, or one grid under two commits: settings, scores of the runs that both have, verdicts.

Reads two results folders and nothing else: what each was made with is in the provenance of its report.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from echochamber.analysis.tables.join import TABLES
from echochamber.errors import UserError
from echochamber.formats import DEFAULT_RULE
from echochamber.jobs import files
from echochamber.report import web
from echochamber.report.looks import looks
from echochamber.report.numbers import interval
from echochamber.stats.intervals import Interval, difference_interval

KEY = ["id", "question_set", "metric", "k", "format"]
"""What tells a score apart, at the last checkpoint."""
CLAIM = ["claim", "study", "mixture", "scale", "algorithm", "prompts", "benchmark"]
DEFAULT = "the default"
"""What a setting says that a spec leaves out."""
MEASURES = ("greedy_accuracy", "pass_at_k", "majority_at_k", "share")


def write(here: Path, there: Path) -> Path:
    """The comparison as a page and a CSV file, into `compare/` of the first folder. Returns the page.

    Raises UserError, in one line, if a folder has no finished report.
    """
    records = [_record(folder) for folder in (here, there)]
    settings = differing([record["spec"]["grid"] for record in records])
    shared = scores(*(_scores(folder) for folder in (here, there)))
    verdicts = claims(*(pd.read_csv(folder / "claims.csv") for folder in (here, there)))
    names = [
        f"{folder} ({record.get('git_commit') or 'no commit'})"
        for folder, record in zip((here, there), records, strict=True)
    ]
    only = [sorted(ids - other) for ids, other in ((_ids(here), _ids(there)), (_ids(there), _ids(here)))]
    decided = shared[(shared["low"] > 0) | (shared["high"] < 0)]
    context = {
        "names": names,
        "title": f"{here.name} and {there.name}",
        "file": {"name": here.name},
        "home": "../report.html",
        "looks": looks(),
        "settings": settings,
        "shared": _rows(shared),
        "decided": len(decided),
        "runs": int(shared["id"].nunique()),
        "only": only,
        "verdicts": verdicts,
        "changed": sum(row["verdict_here"] != row["verdict_there"] for row in verdicts),
    }
    stem = here / "compare" / there.name
    html = web.environment().get_template("compare.html.j2").render(context)
    files.write_csv(stem.with_name(f"{stem.name}.csv"), shared)
    page = stem.with_name(f"{stem.name}.html")
    files.write_text(page, html)
    return page


def differing(specs: list[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Settings in which two grids differ: key, here, there."""
    flat = [_flat(spec) for spec in specs]
    keys = [key for key in dict.fromkeys([*flat[0], *flat[1]]) if flat[0].get(key) != flat[1].get(key)]
    return [{"key": key, "here": flat[0].get(key, DEFAULT), "there": flat[1].get(key, DEFAULT)} for key in keys]


def _flat(value: Any, key: str = "") -> dict[str, str]:
    if isinstance(value, Mapping) and value:
        return {k: v for name, part in value.items() for k, v in _flat(part, f"{key}.{name}" if key else name).items()}
    return {key: ", ".join(map(str, value)) if isinstance(value, list) else str(value)}


def scores(here: pd.DataFrame, there: pd.DataFrame) -> pd.DataFrame:
    """Scores that both have at the last checkpoint, here minus there, the intervals taken as independent.

    Columns: `KEY`; step, estimate, low, high of each (suffixes _here, _there); estimate, low, high of the difference.
    """
    sides = [_last(table) for table in (here, there)]
    both = sides[0].merge(sides[1], on=KEY, suffixes=("_here", "_there"), how="inner")
    ends = [
        difference_interval(
            Interval(row.estimate_here, row.low_here, row.high_here),
            Interval(row.estimate_there, row.low_there, row.high_there),
        )
        for row in both.itertuples()
    ]
    both[["estimate", "low", "high"]] = pd.DataFrame(ends, index=both.index, columns=["estimate", "low", "high"])
    return both


def _last(table: pd.DataFrame) -> pd.DataFrame:
    """The single runs' scores by the default rule at the last step; of pass@k and majority@k the first and last k."""
    table = table[(table["scorer"] == DEFAULT_RULE) & table["metric"].isin(MEASURES) & table["id"].notna()]
    table = table[table["step"] == table.groupby("id")["step"].transform("max")]
    largest = table.groupby(["id", "question_set", "metric"])["k"].transform("max")
    table = table[table["k"].isna() | (table["k"] == largest) | ((table["k"] == 1) & (table["metric"] == "pass_at_k"))]
    return table[[*KEY, "step", "estimate", "low", "high"]].reset_index(drop=True)


def claims(here: pd.DataFrame, there: pd.DataFrame) -> list[dict[str, str]]:
    """Claims side by side, without their parts: words, setting, and verdict and number of each."""
    sides = [table[~table["claim"].str.contains(".", regex=False)] for table in (here, there)]
    both = sides[0].merge(sides[1], on=CLAIM, how="outer", suffixes=("_here", "_there"))
    rows = []
    for row in both.astype(object).where(both.notna(), None).to_dict("records"):
        named = [row[axis] for axis in CLAIM[1:] if row[axis]]
        told: dict[str, str] = {"claim": row["claim"], "setting": " · ".join(named)}
        told["hypothesis"] = row["hypothesis_here"] or row["hypothesis_there"]
        for side in ("here", "there"):
            told[f"verdict_{side}"] = row[f"verdict_{side}"] or "no such row"
            numbers = [row[f"{name}_{side}"] for name in ("estimate", "low", "high")]
            told[f"number_{side}"] = (
                "" if numbers[0] is None else interval(*(float("nan") if n is None else n for n in numbers))
            )
        rows.append(told)
    return sorted(rows, key=lambda row: row["verdict_here"] == row["verdict_there"])


def _rows(shared: pd.DataFrame) -> list[dict[str, str]]:
    """What the page says of each score, those that differ for sure first."""
    rows = []
    for row in shared.itertuples():
        k = "" if pd.isna(row.k) else f"{row.k:g}"
        what = row.metric.replace("_at_k", f"@{k}").replace("_", " ") + (
            "" if pd.isna(row.format) else f", {row.format}"
        )
        rows.append(
            {"id": row.id, "question_set": row.question_set, "what": what}
            | {"here": interval(row.estimate_here, row.low_here, row.high_here)}
            | {"there": interval(row.estimate_there, row.low_there, row.high_there)}
            | {"difference": interval(row.estimate, row.low, row.high, signed=True)}
            | {"decided": bool(row.low > 0 or row.high < 0)}
        )
    return sorted(rows, key=lambda row: not row["decided"])


def _record(folder: Path) -> dict[str, Any]:
    file = folder / "report.provenance.json"
    if not file.exists():
        raise UserError(
            f"{folder}: found no {file.name}, allowed: the results folder of a grid whose report is written"
        )
    record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return record


def _scores(folder: Path) -> pd.DataFrame:
    return TABLES["scores"].read(folder / "tables" / "scores.csv")


def _ids(folder: Path) -> set[str]:
    return set(TABLES["runs"].read(folder / "tables" / "runs.csv")["id"])
