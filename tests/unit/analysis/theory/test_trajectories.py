"""Mean fields held against runs that were made by them: fitted on one, they foretell the other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from simulated_runs import CONSTANT, ONE, OTHER, SETTINGS, followed

from echochamber.algorithms import algorithm
from echochamber.analysis.theory import dynamics, trajectories


@pytest.fixture(scope="module", params=dynamics.KINDS)
def predicted(request):
    kind = request.param
    runs = [("one", ONE, followed(ONE, kind)), ("other", OTHER, followed(OTHER, kind))]
    found = trajectories.cases(runs)
    assert trajectories.fitted_on(found) == {1e-3: "one"}
    frames = {id: (pd.DataFrame(rows), pd.DataFrame(ends)) for id, rows, ends in trajectories.predict(found)}
    return kind, dict((id, drawn) for id, _, drawn in runs), frames


def test_fitted_on_one_run_the_field_foretells_another(predicted):
    kind, runs, frames = predicted
    rows, ends = frames["other"]
    assert not rows.loc[rows["field"].notna(), "fitted"].any()
    mine = ends[(ends["field"] == kind) & (ends["scope"] == "pooled")].set_index("measure")
    assert mine.loc["time_constant", "estimate"] == pytest.approx(CONSTANT, rel=0.03)
    assert mine.loc["error", "estimate"] < 0.01
    wrong = ends[(ends["field"] != kind) & (ends["scope"] == "pooled")].set_index("measure")
    assert wrong.loc["error", "estimate"] > 3 * mine.loc["error", "estimate"]
    measured = ends[ends["field"].isna()].set_index("measure")
    assert measured.loc["winner_share", "format"] == mine.loc["winner_share", "format"]
    shares = runs["other"].shares
    first = np.flatnonzero((shares >= 0.9).any(1))
    assert measured.loc["steps_to_dominance", "estimate"] == pytest.approx(
        first[0] + 1 if len(first) else np.nan, nan_ok=True
    )
    low, estimate, high = mine.loc["winner_share", ["low", "estimate", "high"]]
    assert low < estimate < high


def test_rows_are_thinned_and_carry_their_sizes(predicted):
    rows = predicted[2]["one"][0]
    assert rows.loc[rows["field"].notna(), "fitted"].all()
    counts = rows.groupby(["measure", rows["field"].fillna(""), rows["scope"].fillna("")]).size()
    assert set(rows["format"]) == {"tinygsm", "omi1", "omi2"}  # what base model or run wrote
    assert (counts == trajectories.SHOWN * 3).all()
    assert len(counts) == 1 + 4 + 2  # measured; two fields in two scopes; drift of the pooled ones
    predictions = rows[rows["measure"] == "predicted"]
    assert (predictions["n_questions"] == 60).all()
    assert (predictions["low"] <= predictions["high"]).all()
    sums = rows.groupby([rows["field"].fillna(""), rows["scope"].fillna(""), "measure", "step"])["estimate"].sum()
    assert sums.to_numpy() == pytest.approx(1)


def test_runs_without_a_mean_field_are_left_out():
    random = SETTINGS.model_copy(update={"reward": "random"})
    assert trajectories.cases([("x", ONE, followed(ONE, "natural", random))]) == []


def test_the_clock_is_the_sum_of_learning_rates():
    case = trajectories.Case("", ONE, followed(ONE, "natural", steps=4))
    assert case.clock == pytest.approx([0, 1, 1.7, 2.1])


@pytest.mark.parametrize("kind", ["ppo", "grpo", "rloo", "dr_grpo"])
def test_gaps(kind):
    theory = algorithm(**SETTINGS.model_dump() | {"kind": kind}).theory
    mean = np.array([0.5, 0.43])
    expected = {"ppo": 1 / np.sqrt(mean * (1 - mean)), "rloo": [1, 1], "dr_grpo": [7 / 8, 7 / 8]}
    found = trajectories._gap(theory, whole_batch=False)(mean)
    if kind == "grpo":
        assert found[1] == pytest.approx(1.75, abs=0.005)
    else:
        assert found == pytest.approx(np.array(expected[kind]))
