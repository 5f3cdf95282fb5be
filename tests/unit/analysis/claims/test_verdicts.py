"""The engine of verdicts: by hand, by enumeration, and its error rates over simulated replicates."""

from __future__ import annotations

import numpy as np
import pytest
from simulated_claims import RULES

from echochamber.analysis.claims import verdicts
from echochamber.analysis.claims.c8 import independence
from echochamber.analysis.claims.verdicts import Part
from echochamber.analysis.tables import power
from echochamber.stats.intervals import paired_interval


def test_a_part_by_hand():
    judged = verdicts.judge(Part("x", np.array([0.1, 0.2, 0.3]), above=0.05), RULES)
    assert judged.interval.low == pytest.approx(0.2 - 4.302653 * 0.1 / np.sqrt(3))
    assert judged.verdict == "inconclusive"
    t = 0.15 / (0.1 / np.sqrt(3))
    assert judged.p_holds == pytest.approx(0.5 - t / (2 * np.sqrt(2 + t**2)))  # Student with 2 degrees of freedom
    assert verdicts.judge(Part("x", np.array([0.19, 0.2, 0.21]), above=0.05), RULES).verdict == "holds"
    assert verdicts.judge(Part("x", np.array([0.19, 0.2, 0.21]), below=0.05), RULES).verdict == "fails"
    assert verdicts.judge(Part("x", np.array([0.0, 0.01, 0.02]), -0.05, 0.05), RULES).verdict == "holds"
    assert verdicts.judge(Part("x", np.array([0.2, 0.2]), above=0.05), RULES).verdict == "inconclusive"  # two agree
    assert verdicts.judge(Part("x", np.ones(6), above=0.5, winner=True), RULES).verdict == "holds"
    assert (
        verdicts.judge(Part("x", np.array([1, 1, 1, 1, 1, 0]), above=0.5, winner=True), RULES).verdict == "inconclusive"
    )
    assert verdicts.judge(Part("x", missing="why"), RULES).verdict == "not in this grid"


@pytest.mark.parametrize("winner", [False, True])
def test_a_replicate_without_a_number_leaves_no_verdict_on_the_others(winner):
    judged = verdicts.judge(Part("x", np.array([1.0, 1, 1, np.nan, 1, 1, 1]), above=0.5, winner=winner), RULES)
    assert judged.verdict == "not in this grid"
    assert judged.part.what == "x: 1 of 7 replicates have no number"
    by_question = np.ones((4, 3))
    by_question[2, 1] = np.nan
    assert verdicts.judge(Part("x", by_question, above=0.5), RULES).verdict == "not in this grid"


@pytest.mark.parametrize("n", [3, 6, 10])
def test_a_truth_on_the_threshold_gives_a_verdict_in_five_percent_of_grids(n):
    rng = np.random.default_rng(n)
    said = [verdicts.judge(Part("x", rng.normal(0.3, 0.1, n), above=0.3), RULES).verdict for _ in range(1000)]
    assert 0.035 < 1 - said.count("inconclusive") / 1000 < 0.065
    inside = [verdicts.judge(Part("x", rng.normal(0.05, 0.02, n), -0.05, 0.05), RULES).verdict for _ in range(1000)]
    assert inside.count("holds") / 1000 < 0.04  # equivalence on its edge
    coin = [
        verdicts.judge(Part("x", rng.integers(0, 2, n), above=0.5, winner=True), RULES).verdict for _ in range(1000)
    ]
    assert 1 - coin.count("inconclusive") / 1000 < 0.05


def test_holm_keeps_the_rate_of_any_false_verdict_over_ten_claims():
    rng = np.random.default_rng(0)
    wrong_with = wrong_without = 0
    for _ in range(300):
        parts = [[verdicts.judge(Part("x", rng.normal(0, 1, 5), above=0), RULES)] for _ in range(10)]
        before = [verdicts.combined(p, RULES) for p in parts]
        after, _ = verdicts.correct(before, [verdicts.p_values(p) for p in parts], 0.95)
        wrong_without += any(v != "inconclusive" for v in before)
        wrong_with += any(v != "inconclusive" for v in after)
    assert wrong_without / 300 > 0.3
    assert wrong_with / 300 < 0.075


def test_claims_of_several_parts():
    def parts(*said: str) -> list:
        values = {"holds": [1.0, 1.01, 0.99], "fails": [-1.0, -1.01, -0.99], "inconclusive": [-1.0, 1.0, 0.5]}
        return [verdicts.judge(Part(s, np.array(values.get(s, [])), above=0), RULES) for s in said]

    both = [("holds", "holds"), ("holds", "fails"), ("holds", "inconclusive"), ("holds", "none"), ("fails", "none")]
    expected = ["holds", "fails", "inconclusive", "not in this grid", "fails"]
    assert [verdicts.combined(parts(*s), RULES) for s in both] == expected


def test_a_claim_can_fail_by_one_part_where_another_is_missing_and_never_hold():
    wrong = verdicts.judge(Part("x", np.zeros(12), above=0.5, winner=True), RULES)
    right = verdicts.judge(Part("x", np.ones(12), above=0.5, winner=True), RULES)
    missing = verdicts.judge(Part("y", missing="why"), RULES)
    assert verdicts.combined([wrong, missing], RULES) == "fails"
    assert verdicts.p_values([wrong, missing]) == (1.0, pytest.approx(2 * 0.5**12))
    assert verdicts.correct(["fails"], [verdicts.p_values([wrong, missing])], 0.95)[0] == ["fails"]
    assert verdicts.p_values([right, missing])[0] == 1.0
    assert np.isnan(verdicts.p_values([missing, missing])).all()


def test_primary_rows_that_are_not_tested_yet_count_in_the_correction():
    """p = .004: .008 of the two that are tested, .016 of four."""
    tails = [(0.002, 0.998), (0.2, 0.8), (np.nan, np.nan)]
    said = ["holds", "inconclusive", "not in this grid"]
    after, adjusted = verdicts.correct(said, tails, 0.95)
    assert after[0] == "holds"
    assert adjusted[0] == pytest.approx(2 * 0.004)
    assert np.isnan(adjusted[2])
    after, adjusted = verdicts.correct(said, tails, 0.95, family=4)
    assert after[0] == "holds"
    assert adjusted[0] == pytest.approx(4 * 0.004)
    assert verdicts.correct(said, tails, 0.95, family=13)[0][0] == "inconclusive"


def test_the_permutation_test_of_winner_and_scale_by_enumeration():
    """Three and three, all apart: 2 of the 20 ways to deal them are as extreme; four with one exchanged: 34 of 70."""
    a, b = ["tinygsm"] * 3, ["omi2"] * 3
    assert independence([np.array(a), np.array(b)]) == pytest.approx(2 / 20, abs=0.01)
    assert independence([np.array(["x", "x", "x", "y"]), np.array(["y", "y", "y", "x"])]) == pytest.approx(
        34 / 70, abs=0.02
    )
    assert independence([np.array(a), np.array(a)]) == 1.0


def test_replicates_that_agree_to_the_last_digit_have_the_exact_tests_p():
    """n of n on one side: 2^-n, never 0."""
    for values in (np.full(6, 0.3), np.full((6, 40), 0.3)):
        judged = verdicts.judge(Part("x", values, above=0.1), RULES)
        assert judged.verdict == "holds"
        assert judged.p_holds == pytest.approx(1 / 64)


def test_an_interval_over_seeds_and_questions_is_wider_than_over_seeds_alone():
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 0.3, 100)
    wrong = {"both": 0, "seeds": 0}
    for _ in range(200):
        hard = rng.normal(0, 0.3, 100)
        values = 0.2 + hard[None] + rng.normal(0, 0.02, (6, 1)) + rng.normal(0, 0.3, (6, 100))
        wrong["both"] += verdicts.judge(Part("x", values, above=0.2), RULES).verdict != "inconclusive"
        wrong["seeds"] += verdicts.judge(Part("x", values.mean(1), above=0.2), RULES).verdict != "inconclusive"
    assert wrong["both"] <= 16  # 5 % of 200 are 10; more than 16 has p = .02
    assert wrong["seeds"] > 40  # the same questions for all seeds: their luck is not in the spread over seeds


@pytest.mark.parametrize("n", [3, 6, 10])
def test_the_smallest_effect_over_replicates_is_found_with_the_power_it_names(n):
    rng = np.random.default_rng(n)
    effect = power.over_replicates(0.05, n)
    said = [verdicts.judge(Part("x", rng.normal(effect, 0.05, n), above=0), RULES).verdict for _ in range(1500)]
    assert 0.76 < said.count("holds") / 1500 < 0.84
    made = np.resize([-1.0, 1.0], n) * 0.05
    judged = verdicts.judge(Part("x", made, above=0), RULES)
    assert verdicts.smallest_effect(judged, RULES) == pytest.approx(power.over_replicates(made.std(ddof=1), n))


@pytest.mark.parametrize(("n", "needed"), [(6, 6), (8, 8), (9, 8), (12, 10)])
def test_the_smallest_share_of_wins_is_found_with_the_power_it_names(n, needed):
    """`needed` wins of n are above one half: from tables of Clopper and Pearson's interval."""
    share = power.wins(n)
    rng = np.random.default_rng(n)
    parts = [Part("x", (rng.random(n) < share).astype(float), above=0.5, winner=True) for _ in range(1500)]
    assert 0.76 < [verdicts.judge(p, RULES).verdict for p in parts].count("holds") / 1500 < 0.84
    if n == 6:
        assert share == pytest.approx(0.8 ** (1 / 6))
    assert np.isinf(power.wins(5))
    wins = np.array([1.0] * needed + [0.0] * (n - needed))
    assert verdicts.judge(Part("x", wins, above=0.5, winner=True), RULES).verdict == "holds"
    fewer = np.array([1.0] * (needed - 1) + [0.0] * (n - needed + 1))
    assert verdicts.judge(Part("x", fewer, above=0.5, winner=True), RULES).verdict != "holds"


@pytest.mark.parametrize("questions", [100, 500])  # the demo's, the study's
def test_the_smallest_gain_within_a_run_is_found_with_the_power_it_names(questions):
    """Greedy answers of two models that have nothing in common, at accuracies around one half."""
    rng, effect = np.random.default_rng(questions), power.over_questions(questions)
    better = 0
    for _ in range(300):
        before, after = (rng.random(questions) < p for p in (0.5 - effect / 2, 0.5 + effect / 2))
        better += paired_interval(before, after, resamples=400).low > 0
    assert 0.74 < better / 300 < 0.88
    if questions == 100:
        assert effect == pytest.approx(0.198, abs=0.001)


def test_too_few_replicates_have_no_smallest_effect():
    for part in (Part("x", np.array([0.1, 0.2]), above=0), Part("x", np.ones(5), above=0.5, winner=True)):
        assert np.isinf(verdicts.smallest_effect(verdicts.judge(part, RULES), RULES))
    assert np.isnan(verdicts.smallest_effect(verdicts.judge(Part("x", missing="why"), RULES), RULES))


def test_known_truths_give_their_verdicts_at_the_stated_rates(capsys):
    """Rates over simulated claims: a wrong verdict at most 2.5 % of the time, the right one as often as power says."""
    rng = np.random.default_rng(0)
    runs, lines = 600, ["", "replicates  truth - threshold     holds  inconclusive  fails"]
    for n in (3, 6, 10):
        effect = power.over_replicates(0.1, n)
        for name, distance in (("-2 effects", -2), ("-1 effect", -1), ("0", 0), ("+1 effect", 1), ("+2 effects", 2)):
            values = 0.3 + distance * effect + rng.normal(0, 0.1, (runs, n))
            said = [verdicts.judge(Part("x", row, above=0.3), RULES).verdict for row in values]
            rates = [said.count(v) / runs for v in ("holds", "inconclusive", "fails")]
            lines.append(f"{n:10}  {name:>17} {rates[0]:9.3f} {rates[1]:13.3f} {rates[2]:6.3f}")
            wrong = rates[2] if distance > 0 else rates[0] if distance < 0 else max(rates[0], rates[2])
            assert wrong < 0.025 + 3 * np.sqrt(0.025 * 0.975 / runs)
            if abs(distance) == 1:
                assert abs(rates[0] + rates[2] - 0.8) < 0.06
            if abs(distance) == 2:
                assert rates[0] + rates[2] > 0.97
    with capsys.disabled():
        print("\n".join(lines))
