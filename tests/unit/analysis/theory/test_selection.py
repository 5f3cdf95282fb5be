"""Which rule foretells the winner, and the drift of the neutral twin, by hand and by simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta, t
from simulated_runs import CONSTANT, ONE, SETTINGS, followed

from echochamber.analysis.rl_prompts import SHARES, Rollouts, Start
from echochamber.analysis.samples import Answers
from echochamber.analysis.theory import dynamics, neutral, selection, trajectories
from echochamber.formats import FORMATS


def base(rows: list[tuple[str, int, int, int]]) -> Start:
    """One question whose samples are (format, completions, right ones, tokens)."""
    form = np.concatenate([[FORMATS.index(name)] * n for name, n, _, _ in rows])[None]
    correct = np.concatenate([[True] * right + [False] * (n - right) for _, n, right, _ in rows])[None]
    tokens = np.concatenate([[long] * n for _, n, _, long in rows])[None]
    blank = np.zeros(form.shape, dtype=int)
    every = {"key": blank, "tokens": tokens}
    return Start.of(
        Answers(np.array(["q"]), correct=correct, format=form, finished=blank == 0, degenerate=blank == 1, **every)
    )


def ended(name: str) -> Rollouts:
    log = pd.DataFrame({"step": [1, 2], "completions_sampled": [256, 512], "learning_rate": 1e-3})
    log[SHARES] = [[0.2] * 5, [1.0 if other == name else 0.0 for other in FORMATS]]
    return Rollouts(SETTINGS, log)


def test_the_picks_of_each_rule_by_hand():
    """`text` is the shortest and always right, but has 1 % of the samples and cannot be picked."""
    start = base([("tinygsm", 40, 30, 60), ("omi1", 50, 20, 80), ("omi2", 9, 1, 50), ("text", 1, 1, 5)])
    rows = selection.picks(start, ended("tinygsm"), {"T1": "omi1", "natural gradient": "tinygsm"})
    found = {row["predictor"]: (row["pick"], row["hit"]) for row in rows}
    assert found == {
        "most frequent": ("omi1", False),
        "most accurate": ("tinygsm", True),
        "shortest": ("omi2", False),
        "T1": ("omi1", False),
        "natural gradient": ("tinygsm", True),
        "softmax gradient": (None, None),
    }
    assert all(row["contested"] for row in rows)
    alone = selection.picks(base([("tinygsm", 96, 30, 60), ("omi1", 4, 2, 80)]), ended("tinygsm"), {})
    assert not any(row["contested"] for row in alone)


def table(hits: dict[str, dict[str, list[bool | None]]], counted: bool = True) -> pd.DataFrame:
    """Models are named `mixture` or `mixture/model`."""
    rows = [
        {"predictor": name, "base_model": model, "mixture": model.split("/")[0], "hit": hit}
        | {"pick": None if hit is None else "x", "counted": counted}
        for name, models in hits.items()
        for model, several in models.items()
        for hit in several
    ]
    return pd.DataFrame(rows)


def test_hits_are_counted_by_base_model():
    """Five runs of one model are one trial; a tie within a model is a miss."""
    hits = {
        "most frequent": {"a": [True] * 5, "b": [False, False], "c": [True, False], "d": [False]},
        "most accurate": {"a": [False] * 5, "b": [True, True], "c": [True, True], "d": [True]},
        "natural gradient": {"a": [None] * 5, "b": [True, None], "c": [True, True], "d": [False]},
    }
    rows = {row["predictor"]: row for row in selection.summary(table(hits))}
    frequent = rows["most frequent"]
    assert (frequent["hits"], frequent["n_runs"], frequent["n_models"], frequent["estimate"]) == (6, 10, 4, 0.25)
    assert frequent["low"] == pytest.approx(beta.ppf(0.025, 1, 4))
    assert frequent["high"] == pytest.approx(beta.ppf(0.975, 2, 3))
    accurate = rows["most accurate"]
    assert (accurate["estimate"], accurate["better"], accurate["worse"]) == (0.75, 3, 1)
    assert accurate["p_value"] == pytest.approx(2 * (1 + 4) / 16)
    natural = rows["natural gradient"]
    assert (natural["n_runs"], natural["n_models"], natural["better"], natural["worse"]) == (4, 3, 2, 0)
    assert rows["T1"]["n_models"] == 0
    assert np.isnan(rows["T1"]["estimate"])


def test_models_of_one_mixture_are_no_trials_of_their_own():
    """Three mixtures of four models that are always alike: interval and test know of three mixtures alone."""
    right = {"a": True, "b": True, "c": False}
    hits = {
        "most frequent": {f"{mixture}/{k}": [not hit] for mixture, hit in right.items() for k in range(4)},
        "most accurate": {f"{mixture}/{k}": [hit] for mixture, hit in right.items() for k in range(4)},
    }
    row = {row["predictor"]: row for row in selection.summary(table(hits))}["most accurate"]
    assert (row["hits"], row["n_runs"], row["n_models"], row["n_mixtures"]) == (8, 12, 12, 3)
    assert row["estimate"] == pytest.approx(2 / 3)
    # variance of the mean of (1, 1, 0) is 1/9; by hand 2/9 / (1/9) = 2 trials, times the squared ratio of t's
    worth = 2 * (t.ppf(0.975, 11) / t.ppf(0.975, 2)) ** 2
    assert row["low"] == pytest.approx(beta.ppf(0.025, 2 / 3 * worth, worth / 3 + 1))
    assert (row["better"], row["worse"], row["p_value"]) == (2, 1, 1.0)


def test_a_run_that_was_fitted_on_is_not_counted():
    hits = {"most frequent": {"a": [True]}, "T1": {"a": [True]}}
    assert all(row["n_models"] == 0 for row in selection.summary(table(hits, counted=False)))


# --- the neutral twin ------------------------------------------------------------------------------------------------


def test_populations_by_hand():
    """rloo, 32 x 8 completions half of them in the format, mean reward .4, at the peak learning rate and half of it."""
    log = pd.DataFrame({"step": [1, 2], "learning_rate": [1e-3, 5e-4], "share_omi1": 0.5, "reward_mean": 0.4})
    log["completions_sampled"] = 256 * log["step"]
    case = trajectories.Case("", ONE, Rollouts(SETTINGS, log))
    square = 0.24 * 8 / 7
    assert neutral.populations(case, "omi1", 0.4) == pytest.approx([128 / (0.16 * square), 128 / (0.04 * square)])


def test_the_ratio_of_variances_holds_its_level():
    rng = np.random.default_rng(0)
    sampling, predicted = np.full(8, 0.02**2), np.linspace(0.01, 0.05, 8) ** 2
    hits, middle = 0, []
    for _ in range(400):
        change = rng.normal(0, np.sqrt(sampling + 2.0 * predicted))
        estimate, low, high = neutral.ratio(change, sampling, predicted)
        hits += low <= 2.0 <= high
        middle.append(estimate)
    assert 0.93 <= hits / 400 <= 0.975
    assert np.median(middle) == pytest.approx(2.0, rel=0.15)
    assert neutral.ratio(np.zeros(3), sampling[:3], predicted[:3]) == (0.0, 0.0, pytest.approx(0.0))


def test_twins_that_drift_as_finite_batches_do_have_a_ratio_near_one():
    """Shares of two equal types moved by the simulator itself, at the fitted constant, over many runs."""
    rng = np.random.default_rng(1)
    rollouts = followed(ONE, "natural", steps=30)
    log = rollouts.log.assign(reward_mean=0.5)
    log[SHARES] = [0.5, 0.5, 0, 0, 0]
    cases = [trajectories.Case(f"r{i}", ONE, Rollouts(SETTINGS, log)) for i in range(60)]
    steps = CONSTANT * log["learning_rate"].to_numpy() / SETTINGS.learning_rate
    flat = dynamics.Field("natural")
    # twins a and b of the first format and one other format of half the share, all of accuracy one half
    shares = dynamics.simulate(flat, np.array([0.2, 0.3, 0.5]), np.full(3, 0.5), steps, 256, 60, rng)[-1]
    rows = []
    for case, end in zip(cases, shares[:, 0] / shares[:, :2].sum(1), strict=True):
        for step, estimate in ((0, 0.4), (30, end)):
            rows.append({"id": case.id, "step": step, "estimate": estimate, "low": estimate, "high": estimate})
    styles = pd.DataFrame(rows).assign(style="twin", variant="a", format="tinygsm", question_set="x")
    styles = styles.assign(n_questions=100, n_samples=800)
    found = neutral.drift(cases, {case.id: CONSTANT for case in cases}, styles)
    assert len(found) == 60 * 3 + 1
    ratio = found[-1]
    assert ratio["n_seeds"] == 60
    assert ratio["low"] < 1.2  # the simulator's formats drift too, which moves the population a little
    assert 0.6 < ratio["estimate"] < 1.6
    assert neutral.drift(cases, {case.id: CONSTANT for case in cases}, styles.assign(n_samples=10)) == []
