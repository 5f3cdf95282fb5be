"""Behaviours measured as formats are: what both can say is the same, and numbers follow from the samples by hand."""

import fabricated
import numpy as np
import pandas as pd
import pytest

from echochamber.analysis.behaviours import join
from echochamber.analysis.behaviours import tables as declared
from echochamber.analysis.behaviours.labelled import Labelled
from echochamber.analysis.tables import forecasts, tables
from echochamber.evaluation import labels
from echochamber.formats import FORMATS

BEHAVIOURS = {
    "formats": {"preset": "formats"},
    "length": {"preset": "length-quartiles"},
    "habits": {"marks": {"boxes": r"\\boxed\{", "defines": r"(?m)^def "}},
    "own": {"labels": {"def": "^def", "we": "(?i)we "}, "rest": "neither"},
}
STUDY = {
    "mixtures": ["tg+omi1+omi2"],
    "model_seeds": [0, 1, 2],
    "algorithms": ["grpo", "ei"],
    "prompts": ["synth-gsm"],
    "benchmarks": ["synth-gsm", "synth-math"],
}


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    file = fabricated.grid_file(study=STUDY) | {"behaviours": BEHAVIOURS}
    grid = fabricated.of(file, tmp_path_factory.mktemp("results"))
    fabricated.fabricate(grid, questions=20, steps=(1, 16))
    for evaluation in grid.evaluations:  # what the made-up `other` says is a notebook to the classifier
        samples = pd.read_parquet(grid.paths.samples(*evaluation))
        other = samples["format"] == "other"
        samples.assign(completion=samples["completion"].mask(other, "")).to_parquet(grid.paths.samples(*evaluation))
    fabricated.label(grid)
    return grid


@pytest.fixture(scope="module")
def formats(grid):
    return tables.build(grid)


@pytest.fixture(scope="module")
def behaviours(grid, formats):
    return join.join(grid, formats["outcomes"])


def same(left, right, keys):
    """The rows of two tables side by side; none may be of one alone."""
    joined = left.merge(right, on=keys, how="outer", suffixes=("", "_other"), indicator=True)
    assert len(joined)
    assert set(joined["_merge"]) == {"both"}
    return joined


def test_the_preset_formats_says_what_the_tables_of_formats_say(behaviours, formats):
    shares = behaviours["behaviour_shares"].query("behaviour == 'formats'")
    scores = formats["scores"].query("scorer == 'executed' and metric in ('share', 'accuracy_within_format')")
    scores = scores[scores["algorithm"].notna()].rename(columns={"format": "label"})
    scores = scores.assign(metric=scores["metric"].replace("accuracy_within_format", "accuracy"))
    both = same(shares, scores, ["id", "question_set", "step", "metric", "label"])
    for name in ("estimate", "low", "high", "n_questions", "n_samples", "completions_sampled"):
        assert both[name].tolist() == pytest.approx(both[f"{name}_other"].tolist(), abs=0, nan_ok=True)


def test_the_gain_is_divided_as_by_formats_over_seeds_too(behaviours, formats):
    gains = behaviours["behaviour_gains"].query("behaviour == 'formats'")
    parts = formats["decomposition"].rename(columns={"format": "label"})
    keys = ["id", "algorithm", "question_set", "part", "label"]
    both = same(gains.fillna({"id": "", "label": ""}), parts.fillna({"id": "", "label": ""}), keys)
    assert (both["id"] == "").any()
    for name in ("estimate", "low", "high", "n_seeds"):
        assert both[name].tolist() == pytest.approx(both[f"{name}_other"].tolist(), abs=0, nan_ok=True)


def test_the_forecast_is_that_of_formats(grid):
    ours = join.forecast(grid).query("behaviour == 'formats' and forecast != 'base'")
    theirs = forecasts.table(grid).query("measure in ('winner', 'share')").rename(columns={"format": "label"})
    both = same(ours, theirs, ["id", "question_set", "forecast", "beta", "measure", "label"])
    assert both["estimate"].tolist() == pytest.approx(both["estimate_other"].tolist(), abs=0, nan_ok=True)


def test_a_forecast_names_labels_of_its_own_behaviour_alone(grid):
    """Also by the forecaster that was learned from formats."""
    table = join.forecast(grid)
    known = {kind.behaviour: set(kind.labels) for kind in labels.kinds(grid.file.behaviours)}
    for behaviour, rows in table.groupby("behaviour"):
        assert set(rows["label"]) <= known[behaviour]
        assert {"calibrated", "T1", "limit", "most frequent", "most accurate"} <= set(rows["forecast"])


def test_shares_and_accuracy_of_own_labels_and_marks_by_hand(grid, behaviours):
    run = next(iter(grid.runs.values()))
    samples = pd.read_parquet(grid.paths.samples(run.id, "synth-gsm"))
    samples = samples[(samples["mode"] == "sample") & (samples["step"] == 16)]
    table = behaviours["behaviour_shares"]
    mine = table[(table["id"] == run.id) & (table["question_set"] == "synth-gsm") & (table["step"] == 16)]
    numbers = mine.set_index(["behaviour", mine["mark"].fillna(""), "label", "metric"])["estimate"]
    boxed = samples["completion"].str.contains("\\boxed{", regex=False)
    assert 0.1 < boxed.mean() < 0.9
    assert numbers["habits", "boxes", "yes", "share"] == pytest.approx(boxed.mean())
    assert numbers["habits", "boxes", "no", "share"] == pytest.approx(1 - boxed.mean())
    right = samples.loc[boxed, "correct_executed"].mean()
    assert numbers["habits", "boxes", "yes", "accuracy"] == pytest.approx(right)
    starts = samples["completion"].str.startswith("def")
    we = ~starts & samples["completion"].str.contains("we ", case=False)
    for label, bears in (("def", starts), ("we", we), ("neither", ~starts & ~we)):
        assert numbers["own", "", label, "share"] == pytest.approx(bears.mean())


def test_quarters_of_the_base_model_are_quarters(grid, behaviours):
    table = behaviours["behaviour_shares"].query("behaviour == 'length' and metric == 'share' and step == 0")
    assert table["estimate"].between(0.2, 0.3).all()
    id, benchmark = next(key for key, job in grid.evaluations.items() if key[0] in grid.runs)
    base = grid.runs[id].model.id
    lengths = pd.read_parquet(grid.paths.samples(base, benchmark)).query("mode == 'sample'")["tokens"]
    first = lengths.quantile(0.25)
    drawn = pd.read_parquet(grid.paths.samples(id, benchmark)).query("mode == 'sample' and step == 16")
    table = behaviours["behaviour_shares"].query("behaviour == 'length' and metric == 'share' and step == 16")
    row = table[(table["id"] == id) & (table["question_set"] == benchmark) & (table["label"] == "shortest")]
    assert row["estimate"].item() == pytest.approx((drawn["tokens"] <= first).mean())


def test_theory_and_picks_are_of_the_run_s_own_questions_and_law(behaviours):
    theory = behaviours["behaviour_theory"]
    assert set(theory["question_set"]) == {"synth-gsm"}
    assert theory.groupby("algorithm")["law"].unique().map(list).to_dict() == {"ei": ["limit"], "grpo": ["k3"]}
    ends = theory.pivot_table(
        index=["id", "behaviour", "mark", "label"], columns="measure", values="estimate", dropna=False
    )
    marks = ends.loc[:, "habits", "boxes", "yes"]
    assert marks[["base", "foretold", "measured"]].notna().all(axis=None)
    sums = (
        theory[theory["mark"].isna() & theory["label"].notna()]
        .groupby(["id", "behaviour", "measure"])["estimate"]
        .sum()
    )
    assert np.allclose(sums, 1)
    picks = behaviours["behaviour_picks"]
    assert set(picks["behaviour"]) == {"formats", "length", "own"}
    winner = theory[(theory["behaviour"] == "own") & (theory["measure"] == "measured")]
    winner = winner.loc[winner.groupby("id")["estimate"].idxmax()].set_index("id")["label"]
    own = picks[picks["behaviour"] == "own"]
    assert (own["winner"] == own["id"].map(winner)).all()
    assert (own["hit"] == (own["pick"] == own["winner"])).all()


def test_mean_fields_start_at_the_base_model_and_go_at_the_pace_of_the_formats(behaviours, formats):
    dynamics, shares = behaviours["behaviour_dynamics"], behaviours["behaviour_shares"]
    assert set(dynamics["algorithm"]) == {"grpo"}  # Expert Iteration has no mean field
    keys = ["id", "behaviour", "mark", "label"]
    start = dynamics[(dynamics["step"] == 0) & (dynamics["field"] == "natural") & (dynamics["scope"] == "question")]
    base = shares[(shares["step"] == 0) & (shares["metric"] == "share") & (shares["question_set"] == "synth-gsm")]
    base = base[base["algorithm"] == "grpo"]
    both = same(start.fillna({"mark": ""}), base.fillna({"mark": ""}), keys)
    assert both["estimate"].tolist() == pytest.approx(both["estimate_other"].tolist(), abs=1e-9)
    assert set(dynamics["step"]) == {0, 1, 16}
    assert (dynamics["low"] <= dynamics["high"]).all()
    moved = dynamics[dynamics["step"] == 16].groupby(["id", "behaviour", "mark", "field", "scope"], dropna=False)[
        "estimate"
    ]
    assert np.allclose(moved.sum(), 1)


def test_a_study_that_shows_some_behaviours_has_tables_of_those(grid, formats):
    spec = grid.behaviours_spec("study")
    part = type(grid).of(spec.model_copy(update={"grid": spec.grid.model_copy(update={"behaviours": {}})}))
    assert all(table.empty for table in join.join(part, formats["outcomes"]).values())


def test_labels_of_other_completions_are_refused(grid, tmp_path):
    id, benchmark = next(iter(grid.evaluations))
    kinds = list(labels.kinds(grid.file.behaviours))
    table = labels.read(grid.paths.labels(id, benchmark), [kind.column for kind in kinds])
    labels.write(tmp_path / "labels.parquet", table.iloc[1:])
    with pytest.raises(ValueError, match="found labels of other completions"):
        Labelled(grid.paths.samples(id, benchmark), tmp_path / "labels.parquet", kinds)
    labels.write(tmp_path / "labels.parquet", table.assign(own="unheard of"))
    drawn = Labelled(grid.paths.samples(id, benchmark), tmp_path / "labels.parquet", kinds)
    with pytest.raises(ValueError, match="own: found the label 'unheard of', allowed: def, we, neither"):
        drawn.sampled(drawn.last, kinds[-1])
    with pytest.raises(ValueError, match="found no column nothing"):
        labels.read(grid.paths.labels(id, benchmark), ["nothing"])


def test_tables_are_written_and_read_as_declared(grid, behaviours, tmp_path):
    for name, table in declared.TABLES.items():
        assert list(behaviours[name].columns) == list(table)
    assert tuple(FORMATS) == tuple(next(k for k in labels.kinds(grid.file.behaviours)).labels)
