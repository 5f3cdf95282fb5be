"""Intervals and tests, each for the source of variation that it is about. Pure: numpy and scipy.

Within a seed the questions vary: `question_intervals`, BCa over questions or Wilson near 0 and 1. Over seeds:
`t_interval` on one estimate a seed (a percentile bootstrap of 3 seeds covers 75 %, so there is none here). Where
both vary and every seed answered the same questions: `crossed_interval`. Two models on the same questions:
`paired_interval`. What each covers is simulated in `tests/unit/test_metrics.py`, which prints the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import special

LEVEL = 0.95
RESAMPLES = 2000
FEW = 5
"""With n p or n (1 - p) below this the bootstrap sees too few successes or failures: Wilson's interval is used."""
FEW_GROUPS = 10
"""A ratio over fewer questions than this is not bootstrapped."""


class Interval(NamedTuple):
    """An estimate with the ends of its interval; the ends are NaN where the data cannot give one."""

    estimate: float
    low: float
    high: float


def wilson(successes: np.ndarray | float, n: np.ndarray | float, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's score interval of a proportion (Wilson 1927): both ends, NaN for n = 0. successes may be fractional."""
    successes, n = np.asarray(successes, dtype=float), np.asarray(n, dtype=float)
    z = special.ndtri(0.5 + level / 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = successes / n
        middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    low, high = np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)
    return np.where(successes <= 0, 0 * low, low), np.where(
        successes >= n, 0 * high + 1, high
    )  # no rounding at the ends


class Trials(NamedTuple):
    """Independent trials and how many of them succeeded; neither need be a whole number."""

    successes: float
    n: float


def clopper_pearson(successes: float, n: float, level: float = LEVEL) -> Interval:
    """The exact interval of a proportion over few replicates (Clopper and Pearson 1934): 3 of 3 gives .29 to 1."""
    if n == 0:
        return Interval(np.nan, np.nan, np.nan)
    tail = (1 - level) / 2
    low = special.betaincinv(successes, n - successes + 1, tail) if successes > 0 else 0.0
    high = special.betaincinv(successes + 1, n - successes, 1 - tail) if successes < n else 1.0
    return Interval(successes / n, float(low), float(high))


def binomial_tails(successes: float, n: float, bound: float) -> tuple[float, float]:
    """One-sided p-values that speak for a proportion above `bound` and below it: the tails of `clopper_pearson`."""
    above = special.betainc(successes, n - successes + 1, bound) if successes > 0 else 1.0
    below = special.betaincc(successes + 1, n - successes, bound) if successes < n else 1.0
    return float(above), float(below)


def clustered_trials(means: np.ndarray, n: int, level: float = LEVEL) -> Trials:
    """The independent trials that say as much of a proportion as n in clusters of one size (Korn and Graubard 1998).

    A t interval over the means of clusters is too short where the proportion is near 0 or 1. Clusters that are all
    alike say nothing of how much their own trials depend on each other: one trial a cluster. Clusters of one trial each
    are trials.

    means: (clusters,), the share of successes in each.
    """
    clusters = len(means)
    if n == clusters:
        return Trials(float(means.sum()), n)
    p = float(means.mean())
    variance = means.var(ddof=1) / clusters if clusters > 1 else 0.0
    effective = float(clusters)
    if variance > 1e-12:
        quantile = 0.5 + level / 2
        freedom = special.stdtrit(n - 1, quantile) / special.stdtrit(clusters - 1, quantile)
        effective = float(min(n, p * (1 - p) / variance * freedom**2))
    return Trials(p * effective, effective)


@lru_cache(maxsize=8)
def resampling_weights(n: int, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """How often each of n questions occurs in each bootstrap resample: (resamples, n), the same for every metric."""
    rng = np.random.Generator(np.random.PCG64(seed))
    weights = np.empty((resamples, n))
    for start in range(0, resamples, 256):
        drawn = rng.integers(n, size=(min(256, resamples - start), n))
        weights[start : start + len(drawn)] = [np.bincount(row, minlength=n) for row in drawn]
    weights.flags.writeable = False
    return weights


def bca(
    numerator: np.ndarray,
    denominator: np.ndarray | None = None,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> np.ndarray:
    """Bias-corrected and accelerated bootstrap over questions (Efron 1987) of means, or of ratios of sums.

    numerator: (questions, metrics), one column a metric. denominator: the same shape, or None for a mean.
    Returns (3, metrics): estimate, low, high. All metrics share the resampled questions, drawn from `seed`.
    A column without variation gives its estimate three times; fewer than two questions give NaN ends.
    """
    numerator = np.asarray(numerator, dtype=float)
    questions, metrics = numerator.shape
    denominator = np.ones_like(numerator) if denominator is None else np.asarray(denominator, dtype=float)
    total, base = numerator.sum(0), denominator.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        estimate = total / base
        if questions < 2:
            return np.stack([estimate, np.full(metrics, np.nan), np.full(metrics, np.nan)])
        left_out = (total - numerator) / (base - denominator)
        weights = resampling_weights(questions, resamples, seed)
        drawn = (weights @ numerator) / (weights @ denominator)
    return np.stack([estimate, *bca_ends(estimate, drawn, left_out, level)])


def bca_ends(estimate: np.ndarray, drawn: np.ndarray, left_out: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """Ends of the BCa interval of any statistics (Efron 1987).

    estimate: (metrics,). drawn: (resamples, metrics), the statistics of each bootstrap resample. left_out:
    (questions, metrics), those with one question left out. NaN (a resample without the format, say) is left aside.
    Returns (2, metrics): low, high.
    """
    resamples, metrics = drawn.shape
    drawn = np.sort(drawn, axis=0)  # NaN sorts last
    usable = np.isfinite(drawn).sum(0)
    below = ((drawn < estimate - 1e-12).sum(0) + (drawn <= estimate + 1e-12).sum(0)) / 2
    known = np.isfinite(left_out)
    middle = np.where(known, left_out, 0.0).sum(0) / np.maximum(known.sum(0), 1)
    pull = np.where(known, middle - left_out, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        bias = special.ndtri(np.clip(below / usable, 1 / (usable + 1), usable / (usable + 1)))
        skew = (pull**3).sum(0) / (6 * (pull**2).sum(0) ** 1.5)
    skew = np.where(np.isfinite(skew), skew, 0.0)
    ends = []
    for z in (special.ndtri(0.5 - level / 2), special.ndtri(0.5 + level / 2)):
        at = special.ndtr(bias + (bias + z) / (1 - skew * (bias + z)))
        position = np.clip(np.nan_to_num(at * (usable - 1)), 0, resamples - 1)
        lower = np.floor(position).astype(int)
        upper = np.minimum(lower + 1, np.maximum(usable - 1, 0))
        columns = np.arange(metrics)
        ends.append(drawn[lower, columns] + (position - lower) * (drawn[upper, columns] - drawn[lower, columns]))
    return np.stack(ends)


def question_intervals(
    numerator: np.ndarray,
    denominator: np.ndarray | None = None,
    *,
    proportion: np.ndarray | bool = True,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> np.ndarray:
    """Intervals over the questions of one seed, for many metrics at once.

    numerator, denominator: (questions, metrics); a mean, or with a denominator a ratio of sums (accuracy within a
    format: right completions over completions in it). proportion: whether a column lies in [0, 1] (a completion's
    length does not). Returns (3, metrics): estimate, low, high. Proportions use Wilson's interval with the number of
    questions that count as n, when each question gives 0 or 1, when n p or n (1 - p) is below 5, or when fewer than
    10 questions have a non-zero denominator. For values between 0 and 1 that is conservative: their variance is at
    most p (1 - p).
    """
    numerator = np.asarray(numerator, dtype=float)
    intervals = bca(numerator, denominator, level=level, resamples=resamples, seed=seed)
    weight = np.ones_like(numerator) if denominator is None else np.asarray(denominator, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = numerator / weight
    counts = weight > 0
    n = counts.sum(0)
    binary = (~counts | (value == 0) | (value == 1)).all(0) & ((weight == 0) | (weight == 1)).all(0)
    few = np.minimum(intervals[0], 1 - intervals[0]) * n < FEW
    use = np.broadcast_to(proportion, n.shape) & (binary | few | (n < FEW_GROUPS))
    low, high = wilson(np.nan_to_num(intervals[0]) * n, n, level)
    intervals[1], intervals[2] = np.where(use, low, intervals[1]), np.where(use, high, intervals[2])
    return np.where(n == 0, np.nan, intervals)


def paired_interval(
    before: np.ndarray, after: np.ndarray, *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """Mean gain of one model over another on the same questions: BCa of after - before, each of shape (questions,).

    Raises ValueError if the two do not have one value for each of the same questions.
    """
    before, after = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    if before.shape != after.shape or before.ndim != 1:
        raise ValueError(
            f"before, after: found shapes {before.shape} and {after.shape}, allowed: one value a question in both"
        )
    return Interval(
        *(float(v) for v in bca((after - before)[:, None], level=level, resamples=resamples, seed=seed)[:, 0])
    )


def t_interval(values: Sequence[float] | np.ndarray, level: float = LEVEL) -> Interval:
    """Student's interval of the mean of one estimate a seed; NaN ends for a single one. NaN estimates are dropped."""
    estimates = np.asarray(values, dtype=float)
    estimates = estimates[np.isfinite(estimates)]
    if estimates.size == 0:
        return Interval(np.nan, np.nan, np.nan)
    mean = float(estimates.mean())
    if estimates.size == 1:
        return Interval(mean, np.nan, np.nan)
    half = special.stdtrit(estimates.size - 1, 0.5 + level / 2) * estimates.std(ddof=1) / np.sqrt(estimates.size)
    return Interval(mean, mean - float(half), mean + float(half))


class Spread(NamedTuple):
    """A mean with its standard error and the degrees of freedom of Student's t."""

    mean: float
    error: float
    df: float

    def interval(self, level: float = LEVEL) -> Interval:
        """Student's interval."""
        if self.error == 0:
            return Interval(self.mean, self.mean, self.mean)
        half = float(special.stdtrit(self.df, 0.5 + level / 2)) * self.error
        return Interval(self.mean, self.mean - half, self.mean + half)


def spread(values: np.ndarray) -> Spread:
    """Of the mean of two or more values, one a seed."""
    values = np.asarray(values, dtype=float)
    return Spread(float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size)), values.size - 1)


def crossed_spread(values: np.ndarray) -> Spread:
    """Of the mean over seeds and questions when both vary and each seed answered the same questions.

    values: (seeds, questions). Two-way random effects: with the mean squares of seeds, questions and the rest, the
    variance of the mean is (MS_seeds + MS_questions - MS_rest) / (seeds * questions), never taken below that of
    either alone; Satterthwaite's degrees of freedom. With one seed it is that of its questions, and the other way
    round.
    """
    values = np.asarray(values, dtype=float)
    seeds, questions = values.shape
    if seeds == 1 or questions == 1:
        return spread(values.ravel())
    mean = values.mean()
    by_seed, by_question = values.mean(1), values.mean(0)
    ms_seed = questions * ((by_seed - mean) ** 2).sum() / (seeds - 1)
    ms_question = seeds * ((by_question - mean) ** 2).sum() / (questions - 1)
    rest = values - by_seed[:, None] - by_question[None, :] + mean
    df_rest = (seeds - 1) * (questions - 1)
    ms_rest = (rest**2).sum() / df_rest
    total = max(ms_seed + ms_question - ms_rest, ms_seed, ms_question)
    if total <= 0:
        return Spread(float(mean), 0.0, 1.0)
    spreads = ms_seed**2 / (seeds - 1) + ms_question**2 / (questions - 1) + ms_rest**2 / df_rest
    return Spread(float(mean), float(np.sqrt(total / (seeds * questions))), float(max(total**2 / spreads, 1.0)))


def crossed_interval(values: np.ndarray, level: float = LEVEL) -> Interval:
    """Interval of the mean over seeds and questions, (seeds, questions): see `crossed_spread`."""
    values = np.asarray(values, dtype=float)
    return t_interval(values.ravel(), level) if 1 in values.shape else crossed_spread(values).interval(level)


def difference_interval(first: Interval, second: Interval) -> Interval:
    """First minus second, of two independent estimates, from their own intervals (MOVER: Newcombe 1998, method 10;
    Zou and Donner 2008): exact in no case, close for proportions of any size. NaN ends where an interval has none."""
    (a, a_low, a_high), (b, b_low, b_high) = first, second
    difference = a - b
    low = difference - np.hypot(a - a_low, b_high - b)
    high = difference + np.hypot(a_high - a, b - b_low)
    return Interval(float(difference), float(low), float(high))


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Holm's step-down adjustment (Holm 1979): adjusted p-values in the order given; NaN is no test and stays NaN."""
    p = np.asarray(p_values, dtype=float)
    adjusted = np.full(p.shape, np.nan)
    tests = np.flatnonzero(np.isfinite(p))
    running = 0.0
    for rank, i in enumerate(tests[np.argsort(p[tests], kind="stable")]):
        running = max(running, min(1.0, (len(tests) - rank) * p[i]))
        adjusted[i] = running
    return adjusted
