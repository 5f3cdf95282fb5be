"""Estimators against brute force over all subsets; intervals against simulation (`pytest -s` prints the coverage)."""

from __future__ import annotations

import itertools
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from echochamber.stats import intervals, metrics


def brute_pass(correct: list[int], k: int) -> float:
    subsets = list(itertools.combinations(correct, k))
    return sum(any(s) for s in subsets) / len(subsets)


def brute_majority(keys: list, correct: list[int], k: int) -> float:
    """Every subset of k, every tie shared equally: exact fractions."""
    right = dict(zip(keys, correct, strict=True))
    total = Fraction(0)
    for subset in itertools.combinations(keys, k):
        votes = [key for key in subset if key is not None]
        if votes:
            most = max(votes.count(key) for key in votes)
            winners = {key for key in votes if votes.count(key) == most}
            total += Fraction(sum(right[key] for key in winners), len(winners))
    return float(total / comb(len(keys), k))


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_pass_at_k_is_the_mean_over_all_subsets(n):
    for c in range(n + 1):
        for k in range(1, n + 1):
            assert metrics.pass_at_k(n, c, k) == pytest.approx(brute_pass([1] * c + [0] * (n - c), k), abs=1e-12)


def test_pass_at_k_at_the_paper_size():
    # 1 - C(60, 8) / C(64, 8), worked out with integers; pass@1 is the share of right samples to the last digit.
    assert metrics.pass_at_k(64, 4, 8) == pytest.approx(float(1 - Fraction(comb(60, 8), comb(64, 8))), rel=1e-12)
    assert metrics.pass_at_k(64, np.arange(65), 1) == pytest.approx(np.arange(65) / 64, abs=1e-12)
    assert list(metrics.pass_at_k(64, [0, 1, 64], 64)) == [0, 1, 1]


def test_pass_at_k_is_unbiased_where_any_of_n_is_not():
    rng = np.random.default_rng(0)
    n, k, p = 16, 4, 0.1
    c = rng.binomial(n, p, 20000)
    assert metrics.pass_at_k(n, c, k).mean() == pytest.approx(1 - (1 - p) ** k, abs=0.005)
    assert (c > 0).mean() > 0.8  # "any of n" answers another question


@pytest.mark.parametrize(("n", "c", "k"), [(4, 2, 0), (4, 2, 5), (4, 5, 1), (4, -1, 1)])
def test_pass_at_k_refuses_the_impossible(n, c, k):
    with pytest.raises(ValueError, match="allowed"):
        metrics.pass_at_k(n, c, k)


@given(st.lists(st.sampled_from([None, "a", "b", "c", "d"]), min_size=1, max_size=8), st.sampled_from(["a", "b"]))
@settings(max_examples=150, deadline=None)
def test_majority_is_the_mean_over_all_subsets_and_ties(keys, gold):
    correct = [int(key == gold) for key in keys]
    ks = list(range(1, len(keys) + 1))
    expected = [brute_majority(keys, correct, k) for k in ks]
    assert metrics.majority_at_k(keys, correct, ks) == pytest.approx(expected, abs=1e-10)


def test_majority_by_hand():
    # The released code returns the first answer seen; the vote goes to 7.
    assert metrics.majority_at_k([3, 7, 7], [1, 0, 0], [3])[0] == 0
    assert metrics.majority_at_k([3, 7], [1, 0], [2])[0] == pytest.approx(0.5)  # a tie is half a win
    assert metrics.majority_at_k([None, None, 3], [0, 0, 1], [3])[0] == 1  # no answer, no vote
    assert list(metrics.majority_at_k([None, None], [0, 0], [1, 2])) == [0, 0]
    # Two right spellings that do not share a key are two candidates: each of three ties wins a third.
    assert metrics.majority_at_k(["18", "36/2", "5"], [1, 1, 0], [3])[0] == pytest.approx(2 / 3)


def test_majority_with_64_samples_against_drawn_subsets():
    rng = np.random.default_rng(1)
    keys = np.array([0] * 20 + [1] * 22 + [2] * 8 + [-1] * 6 + list(range(3, 11)))
    for k in (8, 32):
        wins = []
        for _ in range(20000):
            votes = rng.permutation(keys)[:k]
            values, counts = np.unique(votes[votes >= 0], return_counts=True)
            top = values[counts == counts.max()]
            wins.append((0 in top) / len(top))
        expected = metrics.majority_at_k([None if key < 0 else key for key in keys], keys == 0, [k])[0]
        assert np.mean(wins) == pytest.approx(expected, abs=4 * np.std(wins) / np.sqrt(len(wins)))


def test_majority_of_all_samples_is_exact_with_64_distinct_answers():
    assert metrics.majority_at_k(list(range(64)), [1] + [0] * 63, [1, 64]) == pytest.approx([1 / 64, 1 / 64], abs=1e-12)


def test_a_vote_cast_once_breaks_ties_by_its_seed_and_is_right_as_often_as_expected():
    keys, correct = [3, 7, 3, 7, 5, None], [1, 0, 1, 0, 0, 0]
    votes = [metrics.majority_vote(keys, correct, seed) for seed in range(2000)]
    assert set(votes) == {0.0, 1.0}
    assert votes == [metrics.majority_vote(keys, correct, seed) for seed in range(2000)]
    expected = metrics.majority_at_k(keys, correct, [6])[0]
    assert np.mean(votes) == pytest.approx(expected, abs=4 * 0.5 / np.sqrt(2000))
    assert metrics.majority_vote([3, 7, 7], [1, 0, 0], 0) == 0  # no tie, no chance
    assert metrics.majority_vote([None, None], [0, 0], 0) == 0


def test_small_measures():
    assert metrics.powers_of_two(16) == [1, 2, 4, 8, 16]
    assert metrics.powers_of_two(12) == [1, 2, 4, 8, 12]
    assert metrics.answer_entropy([2, 2]) == pytest.approx(np.log(2))
    assert metrics.answer_entropy([]) == 0
    assert metrics.total_variation([1, 0, 0], [0.2, 0.5, 0.3]) == pytest.approx(0.8)
    assert metrics.maximal_drawdown([0, 0.5, 0.3, np.nan, 0.6, 0.1]) == pytest.approx(0.5)
    assert metrics.maximal_drawdown([0, 1, 2]) == 0


# --- intervals -------------------------------------------------------------------------------------------------------


def test_wilson_and_clopper_pearson_against_scipy_and_the_known_three_of_three():
    for c, n in [(0, 10), (3, 10), (100, 100)]:
        reference = stats.binomtest(c, n).proportion_ci(0.95, method="wilson")
        assert intervals.wilson(c, n) == pytest.approx((reference.low, reference.high), abs=1e-12)
        reference = stats.binomtest(c, n).proportion_ci(0.95, method="exact")
        assert intervals.clopper_pearson(c, n)[1:] == pytest.approx((reference.low, reference.high), abs=1e-12)
        tails = stats.binom.sf(c - 1, n, 0.4), stats.binom.cdf(c, n, 0.4)
        assert intervals.binomial_tails(c, n, 0.4) == pytest.approx(tails, abs=1e-12)
    assert intervals.clopper_pearson(3, 3).low == pytest.approx(0.025 ** (1 / 3))  # .29
    assert intervals.clopper_pearson(6, 6).low > 0.5 > intervals.clopper_pearson(5, 5).low


def test_trials_that_clusters_are_worth_by_hand():
    means = np.array([0.5, 1.0, 1.0, 0.5])  # of two each: their spread is that of eight independent trials or less
    variance = 0.25 / 3 / 4
    n = 0.75 * 0.25 / variance * (stats.t.ppf(0.975, 7) / stats.t.ppf(0.975, 3)) ** 2
    assert intervals.clustered_trials(means, 8) == pytest.approx((0.75 * n, n))
    assert intervals.clustered_trials(np.array([0.7, 0.7, 0.8, 0.8]), 40).n == 40  # no more than there are
    assert intervals.clustered_trials(np.ones(9), 54) == (9, 9)
    assert intervals.clustered_trials(np.array([1.0, 0.0, 1.0, 1.0]), 4) == (3, 4)  # one trial each
    assert intervals.clustered_trials(np.array([]), 0) == (0, 0)


@pytest.mark.parametrize(("together", "most"), [(False, 0.04), (True, 0.0)])
def test_nine_clusters_seldom_show_more_than_nine_in_ten_where_it_is_no_more(together, most):
    """Six trials each, independent, or all alike; a t interval over clusters shows it in .09 and .39 of studies."""
    rng = np.random.default_rng(0)
    shown, by_t = [], []
    for _ in range(2000):
        means = (rng.random((9, 1 if together else 6)) < 0.9).mean(1)
        shown.append(intervals.clopper_pearson(*intervals.clustered_trials(means, 54)).low > 0.9)
        by_t.append(intervals.t_interval(means).low > 0.9)
    print(f"{'together' if together else 'independent'}: shown {np.mean(shown):.3f}, by t {np.mean(by_t):.3f}")
    assert np.mean(shown) <= most


def test_bca_against_scipy():
    x = np.random.default_rng(0).gamma(1.0, size=80)
    ours = intervals.bca(x[:, None], resamples=20000)[:, 0]
    reference = stats.bootstrap(
        (x,), np.mean, n_resamples=20000, method="BCa", rng=np.random.default_rng(5)
    ).confidence_interval
    assert ours == pytest.approx([x.mean(), reference.low, reference.high], rel=0.01)


def test_bca_of_a_ratio_against_scipy():
    rng = np.random.default_rng(3)
    den = rng.integers(1, 9, 120).astype(float)
    num = rng.binomial(den.astype(int), 0.6).astype(float)
    ours = intervals.bca(num[:, None], den[:, None], resamples=20000)[:, 0]
    reference = stats.bootstrap(
        (num, den),
        lambda a, b, axis: a.sum(axis) / b.sum(axis),
        paired=True,
        n_resamples=20000,
        method="BCa",
        rng=np.random.default_rng(5),
    ).confidence_interval
    assert ours == pytest.approx([num.sum() / den.sum(), reference.low, reference.high], abs=0.005)


def test_question_intervals_choose_wilson_near_the_ends():
    x = np.zeros((100, 4))
    x[:3, 1] = 0.25  # near 0
    x[:40, 2] = 1  # binary
    x[:, 3] = np.linspace(0, 1, 100)  # neither
    found = intervals.question_intervals(x)
    for column in (0, 1, 2):
        assert found[1:, column] == pytest.approx(np.array(intervals.wilson(x[:, column].sum(), 100)))
    assert found[1:, 3] == pytest.approx(intervals.bca(x[:, [3]])[1:, 0])
    # Lengths are no proportions, and a format that never occurs has no accuracy.
    assert intervals.question_intervals(np.full((20, 1), 30.0), proportion=False)[:, 0] == pytest.approx([30, 30, 30])
    assert np.isnan(intervals.question_intervals(np.zeros((20, 1)), np.zeros((20, 1)))).all()


def test_holm_by_hand():
    assert intervals.holm([0.01, 0.04, np.nan, 0.03]) == pytest.approx([0.03, 0.06, np.nan, 0.06], nan_ok=True)
    assert list(intervals.holm([0.9, 0.8])) == [1, 1]


def test_t_interval_by_hand():
    found = intervals.t_interval([1.0, 2.0, 3.0])
    assert found == pytest.approx((2, 2 - 4.302653 / np.sqrt(3), 2 + 4.302653 / np.sqrt(3)), abs=1e-5)
    assert np.isnan(intervals.t_interval([1.0]).low)


def test_paired_interval_is_narrower_than_two_unpaired_ones_and_needs_the_same_questions():
    rng = np.random.default_rng(0)
    hard = rng.random(200)
    before, after = rng.binomial(16, hard) / 16, rng.binomial(16, np.clip(hard + 0.05, 0, 1)) / 16
    gain = intervals.paired_interval(before, after)
    alone = intervals.bca(np.stack([before, after], 1))
    assert gain.low > 0
    assert gain.high - gain.low < 0.5 * np.hypot(*(alone[2] - alone[1]))
    with pytest.raises(ValueError, match="allowed"):
        intervals.paired_interval(before, after[:-1])


def coverage_over_questions() -> list[tuple]:
    rng = np.random.default_rng(7)
    rows = []
    for n, p in itertools.product((100, 200), (0.1, 0.3, 0.5, 0.7, 0.9)):
        c = np.arange(n + 1)
        low, high = intervals.wilson(c, n)
        exact = stats.binom.pmf(c, n, p)[(low <= p) & (p <= high)].sum()
        rows.append(("greedy: 0 or 1 a question (exact)", n, p, exact))
        hits, sets = 0, 15
        for seed in range(sets):  # 16 samples a question whose difficulties are spread widely
            x = rng.binomial(16, rng.beta(2 * p, 2 * (1 - p), size=(n, 200))) / 16
            found = intervals.question_intervals(x, seed=seed, resamples=1000)
            hits += ((found[1] <= p) & (p <= found[2])).sum()
        rows.append(("mean of 16 samples", n, p, hits / (sets * 200)))
    for n in (100, 200):  # accuracy .6 within a format that half of the completions are in, by question
        hits, sets = 0, 15
        for seed in range(sets):
            den = rng.binomial(16, rng.beta(1, 1, size=(n, 200)))
            num = rng.binomial(den, rng.beta(3, 2, size=(n, 200)))
            found = intervals.question_intervals(num, den, seed=seed, resamples=1000)
            hits += ((found[1] <= 0.6) & (found[2] >= 0.6)).sum()
        rows.append(("accuracy within a format", n, 0.6, hits / (sets * 200)))
    for n in (100, 200):  # two models on the same questions, the second right more often by .1 of what is missing
        hits, sets = 0, 15
        for seed in range(sets):
            easy = rng.beta(2, 2, size=(n, 200))
            before, after = rng.binomial(16, easy) / 16, rng.binomial(16, easy + 0.1 * (1 - easy)) / 16
            found = intervals.bca(after - before, seed=seed, resamples=1000)  # what `paired_interval` takes
            hits += ((found[1] <= 0.05) & (found[2] >= 0.05)).sum()
        rows.append(("paired gain of two models", n, 0.5, hits / (sets * 200)))
    return rows


def test_coverage_over_questions():
    rows = coverage_over_questions()
    print("\ninterval over questions               n    p   coverage (nominal .95)")
    for name, n, p, covered in rows:
        print(f"{name:35s} {n:4d} {p:4.1f}   {covered:.3f}")
    for row in rows:
        assert 0.93 <= row[3] <= 0.97, row


def test_coverage_over_seeds():
    """A t-interval holds its level from 3 seeds on, a percentile bootstrap does not; with questions sampled too, only
    the crossed interval does.
    """
    rng = np.random.default_rng(11)
    trials, questions = 1500, 100
    print("\nseeds  t   percentile bootstrap   questions vary too: crossed   t")
    for seeds in (3, 5, 10):
        x = rng.normal(0.6, 0.05, size=(trials, seeds))
        t = np.mean([low <= 0.6 <= high for _, low, high in map(intervals.t_interval, x)])
        resampled = x[:, rng.integers(seeds, size=(500, seeds))].mean(-1)
        low, high = np.quantile(resampled, [0.025, 0.975], axis=1)
        percentile = np.mean((low <= 0.6) & (high >= 0.6))
        crossed = over_seeds = 0
        for _ in range(trials):
            y = (
                rng.normal(0, 0.03, (seeds, 1))
                + rng.normal(0, 0.3, (1, questions))
                + rng.normal(0, 0.3, (seeds, questions))
            )
            a, b = intervals.crossed_interval(y), intervals.t_interval(y.mean(1))
            crossed += a.low <= 0 <= a.high
            over_seeds += b.low <= 0 <= b.high
        print(f"{seeds:5d} {t:.3f} {percentile:12.3f} {crossed / trials:24.3f} {over_seeds / trials:14.3f}")
        assert 0.93 <= t <= 0.97
        assert 0.93 <= crossed / trials <= 0.98
        assert over_seeds / trials < 0.92
        assert percentile < 0.93
        if seeds == 3:
            assert percentile < 0.80


def test_crossed_interval_with_one_seed_or_no_variation():
    x = np.random.default_rng(0).random((1, 30))
    assert intervals.crossed_interval(x) == intervals.t_interval(x[0])
    assert intervals.crossed_interval(np.full((3, 5), 0.5)) == (0.5, 0.5, 0.5)
