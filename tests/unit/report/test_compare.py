"""Two grids beside each other: settings, shared scores with the interval of their difference, verdicts."""

from __future__ import annotations

import json

import fabricated
import numpy as np
import pandas as pd
import pytest

from echochamber.analysis.claims import claims
from echochamber.analysis.tables import tables
from echochamber.errors import UserError
from echochamber.jobs.files import write_csv, write_json
from echochamber.report import compare
from echochamber.stats.intervals import Interval, difference_interval

STUDY = {
    "mixtures": ["tg+omi1+omi2"],
    "prompts": ["synth-gsm"],
    "benchmarks": ["synth-gsm"],
    "claims": ["C4"],
}


def results(folder, commit: str, algorithms: list[str], rate: float):
    grid = fabricated.grid(folder, one=STUDY | {"algorithms": algorithms})
    fabricated.fabricate(grid, questions=20, steps=(1, 16))
    built = tables.build(grid)
    tables.write(built, grid.paths.tables)
    write_csv(grid.paths.root / "claims.csv", claims.evaluate(grid, built))
    spec = grid.grid_spec("report").canonical()
    spec["grid"]["algorithms"]["grpo"]["learning_rate"] = rate
    write_json(grid.paths.root / "report.provenance.json", {"spec": spec, "git_commit": commit})
    return grid


@pytest.fixture
def pair(tmp_path):
    here = results(tmp_path / "a", "abc", ["grpo", "ei"], 1e-4)
    there = results(tmp_path / "b", "def", ["grpo"], 2e-4)
    return here.paths.root, there.paths.root.rename(tmp_path / "b" / "other")


def test_a_page_and_a_table(pair):
    here, there = pair
    table = pd.read_csv(there / "tables/scores.csv")
    rows = (table["algorithm"] == "grpo") & (table["metric"] == "greedy_accuracy")
    table.loc[rows, ["estimate", "low", "high"]] = [0.02, 0.0, 0.05]
    write_csv(there / "tables/scores.csv", table)
    judged = pd.read_csv(there / "claims.csv").assign(verdict="holds")
    write_csv(there / "claims.csv", judged)
    page = compare.write(here, there)
    assert page == here / "compare/other.html"
    html = page.read_text(encoding="utf-8")
    assert "(abc)" in html
    assert "(def)" in html
    assert "algorithms.grpo.learning_rate" in html
    assert "Only here: tg+omi1+omi2/nano/seed0/ei/synth-gsm/seed0." in html
    shared = pd.read_csv(page.with_suffix(".csv"))
    assert set(shared["id"]) == {"tg+omi1+omi2/nano/seed0", "tg+omi1+omi2/nano/seed0/grpo/synth-gsm/seed0"}
    greedy = shared[shared["id"].str.endswith("seed0/grpo/synth-gsm/seed0") & (shared["metric"] == "greedy_accuracy")]
    row = greedy.iloc[0]
    assert row["estimate"] == pytest.approx(row["estimate_here"] - 0.02)
    assert row["low"] > 0
    same = shared[(shared["metric"] == "share") & (shared["id"] == "tg+omi1+omi2/nano/seed0")]
    assert (same["low"] <= 0).all()
    assert (same["high"] >= 0).all()
    assert html.index("chip holds") > 0


def test_settings_that_one_spec_leaves_out_are_told():
    specs = [{"a": {"b": 1, "c": [1, 2]}, "d": 3}, {"a": {"b": 2, "c": [1, 2]}, "d": 3, "e": {"f": "x"}}]
    assert compare.differing(specs) == [
        {"key": "a.b", "here": "1", "there": "2"},
        {"key": "e.f", "here": "the default", "there": "x"},
    ]
    assert compare.differing([specs[0], json.loads(json.dumps(specs[0]))]) == []


def test_verdicts_that_changed_stand_first(pair):
    here = pd.read_csv(pair[0] / "claims.csv")
    there = here.assign(verdict=np.where(here["claim"] == "C4", "fails", here["verdict"]))
    rows = compare.claims(here, there)
    first = [row for row in rows if row["verdict_here"] != row["verdict_there"]]
    assert first == rows[: len(first)]
    assert {row["claim"] for row in first} == {"C4"}
    assert all(row["verdict_there"] == "fails" for row in first)


def test_a_folder_without_a_report_is_refused_in_one_line(tmp_path):
    with pytest.raises(UserError, match=r"found no report.provenance.json, allowed: the results folder") as error:
        compare.write(tmp_path, tmp_path)
    assert "\n" not in str(error.value)


def test_the_interval_of_a_difference():
    """Newcombe's example of method 10: 56/70 and 48/80, by Wilson's intervals."""
    first, second = Interval(0.8, 0.6925, 0.8767), Interval(0.6, 0.4904, 0.7003)
    estimate, low, high = difference_interval(first, second)
    assert estimate == pytest.approx(0.2)
    assert low == pytest.approx(0.2 - np.hypot(0.8 - 0.6925, 0.7003 - 0.6))
    assert (low, high) == (pytest.approx(0.0530, abs=2e-3), pytest.approx(0.3339, abs=2e-3))
    assert np.isnan(difference_interval(first, Interval(0.6, np.nan, np.nan)).low)
