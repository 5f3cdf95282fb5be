"""The report page of kept tables (`findings`): that of a grid, without what needs its runs.

Rows of settings are pooled again here, since tables are kept of single runs; so are their gains, from what each model
answered to each question. There are no completions, and the records of the kept parts say what made them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from echochamber.analysis.replicates import with_seeds
from echochamber.analysis.tables import table_files
from echochamber.analysis.tables.gains import GAINS, with_settings
from echochamber.analysis.tables.join import POOLED, TABLES
from echochamber.formats import DEFAULT_RULE
from echochamber.grid.expansion import Grid
from echochamber.grid.ids import Paths
from echochamber.jobs.files import write_text
from echochamber.report import findings, page
from echochamber.report.report_facts import distinct


def write(path: Path, grid: Grid, folder: Path, out: Path, claims: pd.DataFrame) -> Path:
    """out/report.html, from the tables that are kept in `folder` and the figures in out/figures.

    path: the grid file's, to be named.
    """
    there = findings.kept(grid, folder)
    shown = findings.restricted(grid, there)
    shown.paths = Paths(out)
    kept = page.Kept(machine(folder, there), "<study>/seed<k>/*.parquet", path.as_posix())
    tables = pooled(findings.read(grid, folder, there))
    main, _ = page.render(shown, tables, claims, unfinished=missing(grid, there), whole=grid, kept=kept)
    write_text(out / "report.html", main)
    return out / "report.html"


def pooled(kept: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """All tables that `join` gives, from kept ones; those that are not kept have no rows."""
    tables = {name: table_files.no_rows(table) for name, table in TABLES.items()} | dict(kept)
    for name in POOLED.keys() & kept.keys():
        tables[name] = TABLES[name].typed(with_seeds(kept[name], TABLES[name], POOLED[name]))
    single = kept["gains"].assign(difference=list(_differences(kept["gains"], kept["per_question"])))
    tables["gains"] = GAINS.typed(with_settings(single[single["difference"].notna()]))
    return tables


def _differences(gains: pd.DataFrame, answers: pd.DataFrame) -> Iterable[np.ndarray | None]:
    """Of each gain, on each question; None where answers are not kept: greedy ones by another rule than the default."""
    by = dict(iter(answers.sort_values("question_id").groupby(["id", "question_set", "step"])))
    for row in gains.itertuples():
        before, after = (by[row.id, row.question_set, step] for step in (0, row.step))
        if row.metric == "pass_at_k":
            right = f"right_by_{row.scorer}"
            yield (after[right] / after["samples"]).to_numpy() - (before[right] / before["samples"]).to_numpy()
        else:
            mine = row.metric == "greedy_accuracy" and row.scorer == DEFAULT_RULE
            yield after["greedy"].to_numpy() - before["greedy"].to_numpy() if mine else None


def machine(folder: Path, there: Mapping[str, tuple[int, ...]]) -> dict[str, object]:
    """What made the kept parts, as `report_facts.machine` says it of a grid."""
    parts = [
        findings.part(folder, study, seed) / findings.PROVENANCE for study, seeds in there.items() for seed in seeds
    ]
    records = [json.loads(path.read_text(encoding="utf-8")) for path in parts]
    versions: dict[str, list[str]] = {}
    for record in records:
        for name, version in (item for said in record["versions"] for item in json.loads(said).items()):
            versions.setdefault(name, []).append(version)
    stages = {"pretraining": "pretraining", "RL": "posttraining"}
    return {
        "versions": {name: distinct(values) for name, values in versions.items()},
        "older": 0,
        "commit": distinct(commit for record in records for commit in record["git_commits"]),
        "device": distinct(record["processor"] for record in records),
        "seconds": {name: sum(record["seconds"][stage] for record in records) for name, stage in stages.items()},
        "jobs": {name: sum(record["jobs"][stage] for record in records) for name, stage in stages.items()},
    }


def missing(grid: Grid, there: Mapping[str, tuple[int, ...]]) -> str:
    """Which studies are not whole, in words; empty: none."""
    studies = grid.file.studies
    begun = [
        f"{len(there[name])} of {len(study.model_seeds)} pretraining seeds of {name}"
        for name, study in studies.items()
        if name in there and there[name] != study.model_seeds
    ]
    none = [name for name in studies if name not in there]
    said = [f"only {', '.join(begun)}"] if begun else []
    said += [f"nothing of {', '.join(none)}"] if none else []
    return f"There is {' and '.join(said)}; a study has verdicts only when it is whole." if said else ""
