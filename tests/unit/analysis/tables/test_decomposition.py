"""The parts of RL's gain, and coverage, against worked numbers and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from echochamber.analysis.samples import Answers
from echochamber.analysis.tables import coverage as coverage_module
from echochamber.analysis.tables.coverage import coverage
from echochamber.analysis.tables.decomposition import PARTS, decompose, decomposition
from echochamber.formats import FORMATS


def answers(format: np.ndarray, correct: np.ndarray) -> Answers:
    blank = np.zeros(format.shape, dtype=int)
    questions = np.array([f"q{i}" for i in range(len(format))])
    every = {"key": blank, "tokens": blank}
    return Answers(questions, correct=correct, format=format, finished=blank == 0, degenerate=blank == 1, **every)


def test_by_hand():
    # Shares .5/.5 -> 1/0, accuracies .6/.2 -> .7: accuracy .40 -> .70.
    parts = decompose([50, 50, 0], [30, 10, 0], [100, 0, 0], [70, 0, 0])
    assert parts.sum(-1) == pytest.approx([0.5 * 0.6 - 0.5 * 0.2, 0.5 * 0.1, 0.5 * 0.1])
    assert parts.sum() == pytest.approx(0.30, abs=1e-15)


def test_a_format_that_the_base_never_wrote_is_interaction_and_one_given_up_is_selection():
    parts = decompose([100, 0], [40, 0], [0, 100], [0, 90])
    assert parts[:, 1] == pytest.approx([0, 0, 0.9])
    assert parts[:, 0] == pytest.approx([-0.4, 0, 0])


counts = hnp.arrays(np.int64, 5, elements=st.integers(0, 50))


@given(counts, counts, hnp.arrays(float, (2, 5), elements=st.floats(0, 1)))
@settings(max_examples=200, deadline=None)
def test_the_parts_add_up_to_the_gain(before, after, rates):
    if not before.sum() or not after.sum():
        return
    right = np.floor(before * rates[0]), np.floor(after * rates[1])
    gain = right[1].sum() / after.sum() - right[0].sum() / before.sum()
    assert decompose(before, right[0], after, right[1]).sum() == pytest.approx(gain, abs=1e-14)


def made(
    rng: np.random.Generator, share: list[float], accuracy: list[float], n: int = 16, questions: int = 100
) -> Answers:
    form = rng.choice(3, p=share, size=(questions, n))
    hard = rng.normal(0, 0.15, (questions, 1))
    return answers(form, rng.random(form.shape) < np.clip(np.array(accuracy)[form] + hard, 0, 1))


def test_intervals_of_the_parts_hold_their_level():
    """Independent formats: selection is known from the shares and accuracies that were drawn from."""
    share, accuracy = [[0.5, 0.3, 0.2], [0.8, 0.15, 0.05]], [[0.6, 0.4, 0.3], [0.7, 0.5, 0.3]]
    truth = {
        "selection": sum((b - a) * p for a, b, p in zip(*share, accuracy[0], strict=True)),
        "refinement": sum(a * (q - p) for a, p, q in zip(share[0], *accuracy, strict=True)),
    }
    rng = np.random.default_rng(0)
    hits = dict.fromkeys(truth, 0)
    for _ in range(150):
        before, after = (made(rng, s, p) for s, p in zip(share, accuracy, strict=True))
        for row in decomposition(before, after):
            if row["format"] is None and row["part"] in truth:
                hits[row["part"]] += row["low"] <= truth[row["part"]] <= row["high"]
    for part, n in hits.items():
        assert 0.90 <= n / 150 <= 0.99, part


def test_rows_of_one_run():
    rng = np.random.default_rng(1)
    before, after = made(rng, [0.5, 0.3, 0.2], [0.6, 0.4, 0.3]), made(rng, [0.9, 0.1, 0], [0.7, 0.5, 0])
    rows = decomposition(before, after)
    assert len(rows) == len(PARTS) * (len(FORMATS) + 1) + 1
    total = next(r for r in rows if r["part"] == "total")
    assert total["estimate"] == pytest.approx(after.correct.mean() - before.correct.mean(), abs=1e-14)
    assert sum(r["estimate"] for r in rows if r["format"]) == pytest.approx(total["estimate"], abs=1e-14)
    assert all(r["low"] <= r["estimate"] + 1e-9 and r["estimate"] <= r["high"] + 1e-9 for r in rows)


# --- coverage --------------------------------------------------------------------------------------------------------


def test_coverage_by_hand():
    """Four questions, four samples: RL makes two certain, loses one, gains none."""
    before = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]], dtype=bool)
    after = np.array([[1, 1, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]], dtype=bool)
    form = np.zeros((4, 4), dtype=int)
    rows = {(r["measure"], r["k"]): r["estimate"] for r in coverage(answers(form, before), answers(form, after))}
    assert rows[("pass_change", 1)] == pytest.approx(8 / 16 - 4 / 16)
    assert rows[("pass_change", 2)] == pytest.approx(2 / 4 - (5 / 6 + 1 / 2 + 1 / 2) / 4)
    assert rows[("pass_change", 4)] == pytest.approx(-1 / 4)
    assert rows[("gained", 4)] == 0
    assert rows[("lost", 4)] == 0.25
    assert rows[("crossing", None)] == pytest.approx(2 * 1.5**0.25)  # +1/24 at k = 2, -1/8 at k = 3
    certain = coverage(answers(form, before), answers(form, before | True))
    assert np.isinf(next(r["estimate"] for r in certain if r["measure"] == "crossing"))


def test_curves_cross_where_rl_is_ahead_for_the_last_time():
    change = np.array([[0.1, -0.1, 0.1, -0.1], [-0.1, -0.1, 0, 0], [0.1, 0.1, 0.1, 0.1], [0.2, 0.1, 0.0, -0.1]])
    found = coverage_module.crossing(change)
    assert found == pytest.approx([3 * (4 / 3) ** 0.5, 1, np.inf, 3])


def test_the_interval_of_the_crossing_holds_its_level():
    """pass@k of 1 - (1 - p)^k for two kinds of question: RL makes 60 % certain and gives up the rest."""
    rng = np.random.default_rng(4)
    k = np.arange(1, 9)
    truth = coverage_module.crossing((0.6 - (1 - 0.7**k))[None])[0]  # the base model has p = .3 everywhere
    hits = 0
    for _ in range(100):
        before = rng.random((150, 8)) < 0.3
        after = np.repeat(rng.random((150, 1)) < 0.6, 8, axis=1)
        row = next(
            r for r in coverage(answers(0 * before, before), answers(0 * after, after)) if r["measure"] == "crossing"
        )
        hits += row["low"] <= truth <= row["high"]
    assert hits >= 89
