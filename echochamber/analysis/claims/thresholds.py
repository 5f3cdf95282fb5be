"""thresholds.yaml: what decides a claim, and the hash that shows a change of it."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import yaml

THRESHOLDS = Path(__file__).with_name("thresholds.yaml")


@cache
def thresholds() -> dict:
    """thresholds.yaml."""
    return yaml.safe_load(THRESHOLDS.read_text(encoding="utf-8"))


def thresholds_sha256() -> str:
    """What tells that the thresholds are those fixed before the runs."""
    return hashlib.sha256(THRESHOLDS.read_bytes()).hexdigest()
