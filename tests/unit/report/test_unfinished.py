"""The report of a grid that is half done says what is missing, judges whole studies alone and touches nothing."""

from __future__ import annotations

import shutil

import fabricated
import pandas as pd
import pytest

from echochamber.analysis.claims import claims
from echochamber.analysis.tables import tables
from echochamber.grid.finished import finished
from echochamber.report import unfinished

COMMON = {"mixtures": ["tg+omi1+omi2"], "prompts": ["synth-gsm"], "benchmarks": ["synth-gsm"]}
STUDIES = {
    "kl": COMMON | {"algorithms": ["grpo", "grpo-kl.1"], "figures": ["kl", "formats"], "claims": ["C3"]},
    "one": COMMON | {"algorithms": ["grpo"], "figures": ["formats"], "claims": ["C4"]},
}
GONE = "tg+omi1+omi2/nano/seed0/grpo-kl.1/synth-gsm/seed0"


@pytest.fixture
def grid(tmp_path):
    grid = fabricated.grid(tmp_path, **STUDIES)
    fabricated.fabricate(grid, questions=8, steps=(1, 16))
    return grid


def test_what_is_missing_is_said_and_whole_studies_are_judged(grid):
    shutil.rmtree(grid.paths.samples(GONE, "synth-gsm").parent)
    before = {path for path in grid.paths.root.rglob("*") if path.is_file()}
    report = unfinished.write(grid)
    assert report.path == grid.paths.root / "now/report.html"
    html = report.path.read_text(encoding="utf-8")
    assert report.missing.startswith("1 of 1 models and 1 of 2 RL runs are trained and evaluated; 1 of 2 studies")
    assert GONE in report.missing
    assert report.missing in html
    assert [line.split(":")[0] for line in report.left_out] == ["kl-kl"]
    assert 'id="figure-kl-formats"' in html
    assert "Unfinished: some runs of the study are missing." in html
    after = {path for path in grid.paths.root.rglob("*") if path.is_file()}
    assert before <= after
    assert all(path.is_relative_to(grid.paths.root / "now") for path in after - before)
    done = finished(grid)
    judged = unfinished.judge(grid, done, unfinished.build(done))
    c3 = judged[judged["claim"] == "C3"].iloc[0]
    assert (c3["verdict"], c3["metric"]) == ("not in this grid", "not finished: study kl")
    assert "one" in set(judged.loc[judged["claim"] == "C4", "study"])


def test_a_whole_grid_misses_nothing_and_has_the_same_tables_and_verdicts(grid):
    report = unfinished.write(grid)
    assert (report.missing, report.left_out) == ("", [])
    assert 'class="warning"' not in report.path.read_text(encoding="utf-8").split("<noscript>")[0]
    done = finished(grid)
    built = tables.build(grid)
    for name, table in unfinished.build(done).items():
        pd.testing.assert_frame_equal(table, built[name])
    pd.testing.assert_frame_equal(unfinished.judge(grid, done, built), claims.evaluate(grid, built))


def test_with_nothing_yet_it_still_is_a_page(tmp_path):
    grid = fabricated.grid(tmp_path, **STUDIES)
    report = unfinished.write(grid)
    assert report.missing.startswith("0 of 1 models and 0 of 2 RL runs")
    assert "No finished RL run." in report.path.read_text(encoding="utf-8")


def test_a_run_without_its_base_models_samples_is_not_finished(grid):
    shutil.rmtree(grid.paths.samples("tg+omi1+omi2/nano/seed0", "synth-gsm").parent)
    assert finished(grid).ids == frozenset()
