"""Own behaviours through Snakemake, to figures and report; what a changed function or a mistake does."""

import re
from pathlib import Path

import pandas as pd
import pytest
from workflow_grid import ROOT, Grid

from echochamber.analysis.behaviours.tables import TABLES

MARKS = "def is_long(completion):\n    return len(completion.split()) > {}\n"
LONG = 12


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    grid = Grid(tmp_path_factory.mktemp("behaviours"), "behaviours")
    grid.file.write_text(Path(__file__).with_name("behaviours.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    (grid.folder / "my_marks.py").write_text(MARKS.format(LONG), encoding="utf-8")
    return grid


@pytest.fixture(scope="module")
def forecast(grid):
    """Before any RL: `snakemake forecast`."""
    ran = grid.snakemake("--", "forecast")
    assert ran.returncode == 0, ran.stdout
    assert not (grid.results / "runs").exists()
    return pd.read_csv(grid.results / "behaviour_forecast.csv")


@pytest.fixture(scope="module")
def done(grid, forecast):
    ran = grid.snakemake()
    assert ran.returncode == 0, ran.stdout
    return ran


def test_the_forecast_needs_base_models_alone(forecast):
    assert set(forecast["behaviour"]) == {"opening", "habits", "formats", "length"}
    shares = forecast[(forecast["forecast"] == "base") & (forecast["mark"].isna())]
    assert shares.groupby("behaviour")["estimate"].sum().tolist() == pytest.approx([1, 1, 1])


def test_labels_are_those_of_the_user_s_own_code(done, grid):
    (run,) = (grid.results / "runs").glob("**/metrics.csv")
    id = run.parent.relative_to(grid.results / "runs")
    samples = pd.read_parquet(grid.results / "evals" / id / "asked/samples.parquet")
    labels = pd.read_parquet(grid.results / "labels" / id / "asked/labels.parquet")
    both = samples.merge(labels, on=["step", "mode", "question_id", "sample"])
    assert len(both) == len(samples) == len(labels)
    long = both["completion"].str.split().str.len() > LONG
    assert (both["habits/long"].eq("yes") == long).all()
    assert (both["format"] == both["formats"]).all()
    letter = both["completion"].map(lambda text: bool(re.search("^[A-Za-z]", text)))
    assert (both["opening"] == long.map({True: "wordy", False: "neither"}).where(~letter, "letter")).all()
    shares = pd.read_csv(grid.results / "behaviours/all/behaviour_shares.csv")
    end = both[(both["mode"] == "sample") & (both["step"] == both["step"].max())]
    row = shares[(shares["mark"] == "long") & (shares["label"] == "yes") & (shares["metric"] == "share")]
    assert row[row["step"] == end["step"].max()]["estimate"].item() == pytest.approx(
        (end["habits/long"] == "yes").mean()
    )


def test_figures_and_report_show_them(done, grid):
    for kind in ("behaviours", "amplified"):
        stem = grid.results / "figures" / f"all-{kind}"
        assert {"opening", "habits"} <= set(pd.read_csv(f"{stem}.csv")["behaviour"])
        assert stem.with_name(f"{stem.name}.png").exists()
    page = (grid.results / "report.html").read_text(encoding="utf-8")
    section = page.partition('aria-label="Behaviours of study all"')[2].partition("</table>")[0]
    cells = re.findall(r"<td class=\"keep\">(.*?)</td>", section)
    assert [cell for cell in cells if cell in ("equation", "long")] == ["equation", "long", "long"]  # one of `length`
    assert 'aria-label="Behaviours of study one"' not in page  # it has no runs


def test_every_table_that_is_declared_is_an_output(done, grid):
    assert {path.stem for path in (grid.results / "behaviours/all").glob("*.csv")} == set(TABLES)
    rules = (ROOT / "rules/behaviours.smk").read_text(encoding="utf-8")
    assert all(f'"{name.removeprefix("behaviour_")}"' in rules for name in TABLES)


def test_a_study_has_the_behaviours_that_it_names_and_no_other_stage_has_any(done, grid):
    assert set(pd.read_csv(grid.results / "behaviours/all/behaviour_shares.csv")["behaviour"]) == {
        *("opening", "habits", "formats", "length")
    }
    assert grid.to_do() == {}


def test_a_changed_function_runs_what_hangs_on_it(done, grid):
    file = grid.folder / "my_marks.py"
    file.write_text(MARKS.format(LONG + 1), encoding="utf-8")
    jobs = grid.to_do()
    file.write_text(MARKS.format(LONG), encoding="utf-8")
    assert jobs["label"] == 2
    assert jobs["figure"] == 2
    assert not {"measure", "evaluate", "posttrain", "join_study", "claims"} & set(jobs)


def test_a_mistake_is_one_line_before_anything_runs(grid, tmp_path):
    wrong = Grid(tmp_path, "behaviours")
    wrong.file.write_text(grid.file.read_text(encoding="utf-8"), encoding="utf-8")
    refused = wrong.snakemake()
    assert refused.returncode == 1
    said = [line for line in refused.stdout.splitlines() if "allowed:" in line]
    keys = ("opening.labels.wordy", "habits.marks.long")
    assert [line.split("function:")[0].split("behaviours.yaml: ")[1] for line in said] == [
        f"behaviours.{key}." for key in keys
    ]
    assert "found 'my_marks:is_long', allowed: module:function of my_marks.py in " in said[0]
    assert not (tmp_path / "results/behaviours/questions").exists()


def test_code_that_raises_ends_its_job_in_one_line(done, grid):
    file = grid.folder / "my_marks.py"
    file.write_text("def is_long(completion):\n    return 1 / 0\n", encoding="utf-8")
    try:
        ran = grid.snakemake("--", "behaviours")
    finally:
        file.write_text(MARKS.format(LONG), encoding="utf-8")
    assert ran.returncode == 1
    assert (
        "my_marks:is_long: found ZeroDivisionError: division by zero, allowed: True or False for any text" in ran.stdout
    )
