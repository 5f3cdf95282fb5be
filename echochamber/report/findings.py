"""Findings: the small tables of what a study has finished, kept in the repository, and what follows from them.

They are kept by study and pretraining seed, since a seed needs no other seed: a study of many hours can be
run on several machines, each for some seeds, and nothing is lost with one. The tables are rows of single runs, without
texts. Verdicts and figures are made from them at any time, with the code of that time, without the runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from echochamber import figures
from echochamber.analysis.claims import claims
from echochamber.analysis.claims.thresholds import thresholds_sha256
from echochamber.analysis.tables import tables
from echochamber.grid import registration
from echochamber.grid.expansion import Grid
from echochamber.grid.ids import start_of
from echochamber.jobs.files import write_aside, write_csv, write_json

KEPT = (
    *("runs", "training", "scores", "gains", "per_question", "decomposition", "coverage", "styles"),
    *("theory", "errors", "process"),
)
"""Tables that figures and claims read. Pooled rows follow from those of single runs. What is fitted on runs of several
seeds (dynamics) is not among them."""
UNKEPT_FIGURES = ("dynamics",)
PROVENANCE = "provenance.json"
DIGITS = 9
"""To which two numbers are the same: sums in another order differ in the last ones."""


def restricted(grid: Grid, seeds: Mapping[str, tuple[int, ...]]) -> Grid:
    """The grid with some of its studies alone, each with some of its pretraining seeds, and their primary rows."""
    primary = {claim: row for claim, row in grid.file.primary.items() if row.study in seeds}
    studies = {
        name: study.model_copy(update={"model_seeds": seeds[name]})
        for name, study in grid.file.studies.items()
        if name in seeds
    }
    return Grid(grid.file.model_copy(update={"studies": studies, "primary": primary}), grid.paths.root.parent)


def part(folder: Path, study: str, seed: int) -> Path:
    """Where the tables of one study and seed are kept."""
    return folder / study / f"seed{seed}"


def keep(grid: Grid, study: str, seed: int, folder: Path, provenance: Mapping[str, Any]) -> None:
    """Write what a study has of one seed: one Parquet file a table, and provenance.json.

    Raises FileNotFoundError or ValueError, in one line, if that is not finished.
    """
    built = tables.build(restricted(grid, {study: (seed,)}))

    def write(aside: Path) -> None:
        aside.mkdir()
        for name in KEPT:
            rows = built[name]
            rows[rows["id"].notna()].to_parquet(aside / f"{name}.parquet", index=False, compression="zstd")
        write_json(aside / PROVENANCE, dict(provenance))

    write_aside(part(folder, study, seed), write)


def kept(grid: Grid, folder: Path) -> dict[str, tuple[int, ...]]:
    """The seeds that are kept of each study, in the order of the grid file; studies without any are left out."""
    seeds = {
        name: tuple(seed for seed in study.model_seeds if (part(folder, name, seed) / PROVENANCE).exists())
        for name, study in grid.file.studies.items()
    }
    return {name: some for name, some in seeds.items() if some}


def finished(grid: Grid, folder: Path) -> dict[str, tuple[int, ...]]:
    """The same, but only studies of which every seed is kept: no verdict before a study is whole."""
    return {name: some for name, some in kept(grid, folder).items() if some == grid.file.studies[name].model_seeds}


def read(grid: Grid, folder: Path, seeds: Mapping[str, tuple[int, ...]]) -> dict[str, pd.DataFrame]:
    """The kept tables of these studies and seeds together; a run that several studies share stands once.

    Raises ValueError, in one line, if two parts have different answers of one run.
    """
    parts = [part(folder, name, seed) for name, some in seeds.items() for seed in some]
    if not parts:
        raise FileNotFoundError(f"{folder}: found no kept study, allowed: those that `make keep` has written")
    together = {
        name: pd.concat([_renamed(pd.read_parquet(path / f"{name}.parquet")) for path in parts], ignore_index=True)
        for name in KEPT
    }
    once = {name: rows[~rows.round(DIGITS).duplicated()].reset_index(drop=True) for name, rows in together.items()}
    answers = once["per_question"]
    twice = answers[answers.duplicated(["id", "question_set", "step", "question_id"])]
    if len(twice):
        raise ValueError(
            f"{folder}: found different answers of {twice['id'].iloc[0]} in two parts, allowed: the same "
            "(were they made on different machines, or by different code?)"
        )
    return once


def _renamed(rows: pd.DataFrame) -> pd.DataFrame:
    """The columns of today: earlier versions had `base_step`, with the number of a last step, which seeds differ in."""
    if "base_step" not in rows:
        return rows
    of_run = rows["algorithm"].notna()
    starts = [start_of(id) or None if run else None for id, run in zip(rows["id"], of_run, strict=True)]
    return rows.rename(columns={"base_step": "start"}).assign(start=starts)


def _missing(grid: Grid, there: Mapping[str, tuple[int, ...]], claim: str) -> str:
    """Why a claim has no row: how much there is of the studies that are asked it."""
    asked = [name for name, study in grid.file.studies.items() if claim in study.claims]
    counts = [
        f"{len(there.get(name, ()))} of {len(grid.file.studies[name].model_seeds)} seeds of {name}" for name in asked
    ]
    return f"not finished: found {', '.join(counts)}" if asked else "no study of this grid lists it"


def judge(grid: Grid, folder: Path, out: Path) -> pd.DataFrame:
    """Verdicts of the studies that are whole, figures of all: out/claims.csv, out/figures/, out/provenance.json.

    Claims of the other studies stand as `not in this grid`, and count in Holm's correction. A figure of an
    unfinished study says in its caption how many seeds there are. Returns the claims.
    """
    there, whole = kept(grid, folder), finished(grid, folder)
    kept_tables = read(grid, folder, there)
    table = claims.evaluate(restricted(grid, whole), kept_tables, grid)
    table["metric"] = table["metric"].where(table["study"] != "", [_missing(grid, there, c) for c in table["claim"]])
    write_csv(out / "claims.csv", table)
    for study, seeds in there.items():
        wanted = grid.file.studies[study].model_seeds
        note = "" if study in whole else f" Unfinished: {len(seeds)} of {len(wanted)} pretraining seeds."
        for kind in grid.file.studies[study].figures:
            if kind not in UNKEPT_FIGURES:
                figure, caption, data = figures.draw(restricted(grid, {study: seeds}), study, kind, kept_tables)
                figures.save(figure, caption + note, data, out / "figures" / f"{study}-{kind}")
    origins = {
        f"{name}/seed{seed}": json.loads((part(folder, name, seed) / PROVENANCE).read_text(encoding="utf-8"))
        for name, some in there.items()
        for seed in some
    }
    write_json(
        out / PROVENANCE,
        {
            "parts": origins,
            "finished": sorted(whole),
            "registration": registration.in_words(grid.file, thresholds_sha256(grid.file)),
        },
    )
    return table
