"""What the page says of a study's behaviours is what the tables say; without labels it says nothing, and why."""

from __future__ import annotations

import fabricated
import pytest

from echochamber.analysis.behaviours import join
from echochamber.analysis.tables import tables
from echochamber.grid.finished import finished
from echochamber.jobs.files import write_csv
from echochamber.report import unfinished
from echochamber.report.behaviours import behaviours
from echochamber.report.numbers import NOTHING, SPACE, interval, percents

STUDY = {
    "mixtures": ["tg+omi1+omi2"],
    "model_seeds": [0, 1, 2],
    "algorithms": ["grpo", "ei"],
    "prompts": ["synth-gsm"],
    "benchmarks": ["synth-gsm", "synth-math"],
    "figures": ["behaviours", "amplified"],
}
SHOWN = {"code": {"preset": "code-or-prose"}, "habits": {"marks": {"boxes": r"boxed\{", "shouts": "!"}}}


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    file = fabricated.grid_file(all=STUDY, none=STUDY | {"behaviours": [], "figures": []}) | {"behaviours": SHOWN}
    grid = fabricated.of(file, tmp_path_factory.mktemp("results"))
    fabricated.fabricate(grid, questions=12, steps=(1, 16))
    return grid


@pytest.fixture(scope="module")
def without(grid):
    """Before the labels are there."""
    return behaviours(grid, "all"), unfinished.write(grid)


@pytest.fixture(scope="module")
def labelled(grid, without):
    fabricated.label(grid)
    joined = join.join(type(grid).of(grid.behaviours_spec("all")), tables.build(grid)["outcomes"])
    for name, table in joined.items():
        write_csv(grid.paths.behaviours("all") / f"{name}.csv", table)
    return joined


def test_without_labels_there_is_no_section_and_figures_are_left_out_in_words(without):
    section, report = without
    assert section == {"labels": [], "parts": [], "picks": []}
    allowed = "allowed once the labels of its completions are there (`snakemake behaviours`)"
    assert report.left_out == [
        f"all-{kind}: studies.all.figures: found {kind}, {allowed}" for kind in ("behaviours", "amplified")
    ]
    assert "<h3>Behaviours</h3>" not in report.path.read_text(encoding="utf-8")


def test_rows_are_the_mean_over_seeds_of_what_the_tables_have(grid, labelled):
    rows = behaviours(grid, "all")["labels"]
    assert {(row["behaviour"], row["label"]) for row in rows} == {
        *(("code", label) for label in ("code", "both", "prose")),
        ("habits", "boxes"),  # nobody shouts
    }
    (row,) = [r for r in rows if r["label"] == "boxes" and r["question_set"] == "synth-gsm" and "grpo" in r["setting"]]
    shares = labelled["behaviour_shares"].query("mark == 'boxes' and label == 'yes' and question_set == 'synth-gsm'")
    shares = shares[shares["algorithm"] == "grpo"]
    for when, step in (("before", 0), ("after", 16)):
        some = shares[shares["step"] == step].set_index("metric")["estimate"]
        assert row[when].startswith(f"{100 * some['share'].mean():.0f}{SPACE}% [")
        assert row[f"accuracy_{when}"].startswith(f"{100 * some['accuracy'].mean():.0f}{SPACE}% [")
    foretold = labelled["behaviour_theory"].query("mark == 'boxes' and label == 'yes' and measure == 'foretold'")
    foretold = foretold.loc[foretold["algorithm"] == "grpo", "estimate"]
    assert row["foretold"].startswith(percents(foretold.mean(), float("nan"), float("nan")))
    away = [r for r in rows if r["question_set"] == "synth-math"]
    assert away
    assert {r["foretold"] for r in away} == {NOTHING}  # what was not trained on is not foretold


def test_parts_add_up_and_rules_are_counted(grid, labelled):
    section = behaviours(grid, "all")
    gains = labelled["behaviour_gains"]
    pooled = gains[gains["id"].isna() & gains["label"].isna() & (gains["behaviour"] == "code")]
    row = next(r for r in section["parts"] if r["behaviour"] == "code")
    first = pooled[pooled["algorithm"] == pooled["algorithm"].iloc[0]].drop_duplicates("part").set_index("part")
    assert row["seeds"] == 3
    assert row["selection"] == interval(*first.loc["selection", ["estimate", "low", "high"]], signed=True)
    assert first.loc[["selection", "refinement", "interaction"], "estimate"].sum() == pytest.approx(
        first.loc["total", "estimate"]
    )
    assert {"habits: boxes", "habits: shouts"} <= {r["behaviour"] for r in section["parts"]}
    assert all(p["runs"] == 6 and p["behaviour"] == "code" for p in section["picks"])


def test_the_page_of_a_whole_grid_has_the_section_and_a_study_without_behaviours_none(grid, labelled):
    report = unfinished.write(grid)
    assert report.left_out == []
    html = report.path.read_text(encoding="utf-8")
    assert html.count("<h3>Behaviours</h3>") == 1
    assert 'id="figure-all-behaviours"' in html
    assert finished(grid).ids
