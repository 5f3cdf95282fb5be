"""Where the tests of the verifier find the real rows: `ECHO_DATA_DIR`, or `../shared/data` beside the project."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("ECHO_DATA_DIR") or PROJECT.parent / "shared" / "data")


def rows(path: str) -> list[dict]:
    """The rows of a JSON lines file; the calling test is skipped, with the reason, where the data are absent."""
    file = FOLDER / path
    if not file.exists():
        pytest.skip(f"no real rows: {file} is absent (ECHO_DATA_DIR names the folder)")
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
