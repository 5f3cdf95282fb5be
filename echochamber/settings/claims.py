"""Which claims a study is asked, and the one row of each that gets a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from echochamber.schema import Name, Settings

BY_THRESHOLDS = {"packs.yaml": ("B1", "B2"), "spurious-rewards.yaml": ("R1", "R2", "R3", "R4")}
"""File of thresholds, in analysis/claims -> the claims of a pack that it decides."""
PACKS = tuple(claim for claims in BY_THRESHOLDS.values() for claim in claims)
"""Claims of other papers, with grids of their own in config/packs: in claims.csv only where a study lists them."""
CLAIMS = (
    *("C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C9", "C10", "C11", "C12", "C13", "C14", "T1"),
    *("S1", "S2", "S3", "S4"),
    *PACKS,
)
"""C and T: the paper's. S: this project's own, on what decides the winner. B: beyond the base model (2504.13837). R:
spurious rewards (2506.10947)."""


class Primary(Settings):
    """The primary row of a claim: a study and as much of a row's setting as tells it from the study's other rows.

    A claim about several values of an axis (the scales of C8, say) is told apart by the other axes.
    """

    study: Name
    mixture: Name | None = None
    scale: Name | None = None
    algorithm: Name | None = None
    prompts: Name | None = None
    benchmark: Name | None = None


def pack_thresholds(file: Any) -> list[str]:
    """The files of thresholds of the packs whose claims a study of this grid file is asked."""
    asked = {claim for study in file.studies.values() for claim in study.claims}
    return [name for name, claims in BY_THRESHOLDS.items() if asked & set(claims)]


AXES = {
    "mixture": "mixtures",
    "scale": "scales",
    "algorithm": "algorithms",
    "prompts": "prompts",
    "benchmark": "benchmarks",
}
"""Axis of a row -> that of a study."""


def unknown_primaries(primary: dict[str, Primary], studies: dict[str, Any], models: dict[str, Any]) -> Iterator[str]:
    """One line for each primary row that no study of the grid can have."""
    for claim, row in primary.items():
        where = f"primary.{claim}"
        listing = [name for name, study in studies.items() if claim in study.claims]
        if row.study not in listing:
            asked = f"a study that lists {claim}: {', '.join(listing) or 'none does'}"
            yield f"{where}.study: found {row.study!r}, allowed: {asked}"
            continue
        for axis, plural in AXES.items():
            name, allowed = getattr(row, axis), getattr(studies[row.study], plural)
            if axis in ("mixture", "scale"):
                imported = {model: getattr(models[model], axis) for model in studies[row.study].models}
                own = imported if axis == "mixture" else ()
                allowed = (*allowed, *own, *(name for name in imported.values() if name))
            if name is not None and name not in allowed:
                yield f"{where}.{axis}: found {name!r}, allowed: {', '.join(allowed) or 'none'} of study {row.study}"
