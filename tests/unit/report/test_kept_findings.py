"""The findings in the repository: what is said of them elsewhere follows from the tables that are kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from echochamber.analysis import forecast
from echochamber.analysis.claims.duels import contests
from echochamber.analysis.studies import StudyView
from echochamber.grid import parsing
from echochamber.report import findings

ROOT = Path(__file__).parents[3]
KEPT = ROOT / "results/findings/study"


def test_the_calibrated_forecast_is_what_the_factorial_taught():
    said = yaml.safe_load(forecast.CALIBRATION.read_text(encoding="utf-8"))
    grid = parsing.load(ROOT / said["grid"])
    whole = {said["study"]: findings.finished(grid, KEPT)[said["study"]]}
    view = StudyView(findings.restricted(grid, whole), said["study"], findings.read(grid, KEPT, whole))
    ((_, fights),) = contests(view)
    duels = [each.duel for each in fights]
    assert len(duels) == said["models"]
    assert forecast.fit(duels) == pytest.approx(forecast.learned(), rel=1e-3)
