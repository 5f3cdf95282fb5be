"""thresholds.yaml and those of packs: what decides a claim, and the hash that shows a change of it."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import yaml

from echochamber.settings import GridFile
from echochamber.settings.claims import BY_THRESHOLDS, pack_thresholds

THRESHOLDS = Path(__file__).with_name("thresholds.yaml")
OF_PACKS = tuple(THRESHOLDS.with_name(name) for name in BY_THRESHOLDS)
"""In files of their own: a pack that is added changes nothing that a study or another pack has registered."""


@cache
def thresholds() -> dict:
    """Those of all claims, and what all share."""
    return {name: rule for path in (THRESHOLDS, *OF_PACKS) for name, rule in _read(path).items()}


def files(grid: GridFile) -> list[Path]:
    """Where the thresholds of a grid's claims stand."""
    return [THRESHOLDS, *map(THRESHOLDS.with_name, pack_thresholds(grid))]


def thresholds_sha256(grid: GridFile) -> str:
    """What tells that a grid's thresholds are those fixed before its runs."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in files(grid))).hexdigest()


def _read(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))
