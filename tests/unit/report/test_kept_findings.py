"""The findings in the repository: what is said of them elsewhere follows from the tables that are kept."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from echochamber.analysis import forecast
from echochamber.analysis.claims.duels import contests
from echochamber.analysis.studies import StudyView
from echochamber.grid import parsing
from echochamber.report import findings, findings_page

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


GRIDS = ("config/study.yaml", "config/packs/beyond-the-base.yaml", "config/packs/spurious-rewards.yaml")


@pytest.mark.parametrize("name", GRIDS)
def test_verdicts_figures_and_page_in_the_repository_are_made_of_the_kept_tables(name, tmp_path):
    grid = parsing.load(ROOT / name)
    kept = ROOT / "results/findings" / Path(name).stem
    judged = findings.judge(grid, kept, tmp_path)
    stored, made = (pd.read_csv(folder / "claims.csv") for folder in (kept, tmp_path))
    pd.testing.assert_frame_equal(made, stored, rtol=1e-6)
    figures = [sorted(path.name for path in (folder / "figures").iterdir()) for folder in (kept, tmp_path)]
    assert figures[0] == figures[1]
    findings_page.write(Path(name), grid, kept, tmp_path, judged)
    assert headings(kept) == headings(tmp_path)
    assert len(headings(kept)) > 20
    assert "Grid file and thresholds are as registered." in (tmp_path / "report.html").read_text(encoding="utf-8")


def headings(folder: Path) -> list[str]:
    """What a page says apart from its numbers: its titles, questions and verdicts."""
    page = (folder / "report.html").read_text(encoding="utf-8")
    return re.findall(r'<h[1-4][^>]*>(.*?)</h[1-4]>|<span class="chip[^>]*>(.*?)</span>', page, flags=re.DOTALL)
