"""From replicates and a threshold to a verdict. Pure: numpy and scipy.

A part of a claim says that a mean over replicates lies in a range, or that something happens in most replicates. It
holds if its 95 % interval lies inside the range, fails if it lies outside, and is inconclusive otherwise or with too
few replicates. A claim of several parts holds if all do (an intersection-union test: the largest p-value) and fails
if one does (Bonferroni over its parts), or the other way round for a claim that something exists. Holm's correction
then runs over all claims of a grid, and a claim whose adjusted p-value is above 5 % is inconclusive.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy import stats

from echochamber.analysis import power
from echochamber.intervals import Interval, clopper_pearson, holm, t_interval

Verdict = Literal["holds", "fails", "inconclusive", "not in this grid"]
NOT_HERE: Verdict = "not in this grid"


@dataclass(frozen=True)
class Part:
    """One measurement: `values` has one number a replicate; the hypothesis is that their mean is between the bounds.

    With `winner`, values are 0 or 1 and the hypothesis is about the probability of 1.
    """

    what: str
    values: np.ndarray = field(default_factory=lambda: np.empty(0))
    above: float = -np.inf
    below: float = np.inf
    winner: bool = False
    missing: str | None = None
    """Why it cannot be measured in this grid."""

    @property
    def finite(self) -> np.ndarray:
        values = np.asarray(self.values, dtype=float)
        return values[np.isfinite(values)]

    @property
    def threshold(self) -> str:
        """The hypothesis as a range."""
        if np.isfinite(self.above) and np.isfinite(self.below):
            return f"{self.above:g} to {self.below:g}"
        return f"> {self.above:g}" if np.isfinite(self.above) else f"< {self.below:g}"


@dataclass(frozen=True)
class Finding:
    """A claim about one setting of one study."""

    label: str
    parts: tuple[Part, ...]
    combine: Literal["all", "any"] = "all"


@dataclass(frozen=True)
class Judged:
    """A part with its interval and its verdict by that interval alone."""

    part: Part
    interval: Interval
    p_holds: float
    p_fails: float
    verdict: Verdict


def judge(part: Part, rules: dict) -> Judged:
    """Interval, one-sided p-values and verdict of one part. rules: thresholds.yaml."""
    values, level = part.finite, rules["level"]
    if part.missing or values.size == 0:
        return Judged(part, Interval(np.nan, np.nan, np.nan), np.nan, np.nan, NOT_HERE)
    if part.winner:
        interval = clopper_pearson(round(float(values.sum())), values.size, level)
    else:
        interval = t_interval(values, level)
    p_holds, p_fails = _p_values(part, values)
    needed = rules["winner_replicates"] if part.winner else rules["replicates"]
    verdict: Verdict = "inconclusive"
    if values.size >= needed:
        if interval.low > part.above and interval.high < part.below:
            verdict = "holds"
        elif interval.high < part.above or interval.low > part.below:
            verdict = "fails"
    return Judged(part, interval, p_holds, p_fails, verdict)


def _p_values(part: Part, values: np.ndarray) -> tuple[float, float]:
    """One-sided p-values for "inside the range" (the larger of its bounds') and "outside" (Bonferroni over them)."""
    tails = [_tails(values, bound, part.winner) for bound in (part.above, part.below) if np.isfinite(bound)]
    if np.isfinite(part.below):
        tails[-1] = tails[-1][::-1]  # below a bound is the other tail
    return max(inside for inside, _ in tails), min(1.0, len(tails) * min(outside for _, outside in tails))


def _tails(values: np.ndarray, bound: float, winner: bool) -> tuple[float, float]:
    """p-values that speak for "above the bound" and for "below the bound"."""
    n = values.size
    if winner:
        k = round(float(values.sum()))
        return float(stats.binom.sf(k - 1, n, bound)), float(stats.binom.cdf(k, n, bound))
    if n < 2:
        return 0.5, 0.5
    distance, error = values.mean() - bound, values.std(ddof=1) / np.sqrt(n)
    if error <= 1e-12:  # replicates that agree to the last digit
        return (0.5, 0.5) if abs(distance) <= 1e-12 else (float(distance < 0), float(distance > 0))
    above = float(stats.t.sf(distance / error, n - 1))
    return above, 1 - above


def p_values(parts: list[Judged], combine: str) -> tuple[float, float]:
    """p-values that speak for `holds` and for `fails` of a claim of several parts; NaN if one is not measured."""
    holds, fails = [j.p_holds for j in parts], [j.p_fails for j in parts]
    if any(np.isnan(holds)):
        return np.nan, np.nan
    if combine == "all":
        return max(holds), min(1.0, len(parts) * min(fails))
    return min(1.0, len(parts) * min(holds)), max(fails)


def combined(parts: list[Judged], combine: str, rules: dict) -> Verdict:
    """The verdict of a claim from those of its parts, before Holm's correction.

    A claim with a part about the winner is inconclusive below the replicates that such a part needs, whatever the
    others.
    """
    winner = [j.part.finite.size for j in parts if j.part.winner and not j.part.missing]
    if winner and min(winner) < rules["winner_replicates"] and any(j.verdict != NOT_HERE for j in parts):
        return "inconclusive"
    said = [j.verdict for j in parts]
    if combine == "any":
        said = [v for v in said if v != NOT_HERE] or [NOT_HERE]
    decisive, other = ("fails", "holds") if combine == "all" else ("holds", "fails")
    if decisive in said:
        return decisive
    if NOT_HERE in said:
        return NOT_HERE
    return other if all(v == other for v in said) else "inconclusive"


def correct(verdicts: list[Verdict], p: list[tuple[float, float]], level: float) -> list[Verdict]:
    """Holm's correction over the claims of a grid: a verdict stands if its adjusted two-sided p-value does."""
    tested = [
        min(1.0, 2 * (a if v == "holds" else b)) if v in ("holds", "fails") else _undecided(v, a, b)
        for v, (a, b) in zip(verdicts, p, strict=True)
    ]
    adjusted = holm(tested)
    return [
        "inconclusive" if v in ("holds", "fails") and not q <= 1 - level + 1e-12 else v
        for v, q in zip(verdicts, adjusted, strict=True)
    ]


def _undecided(verdict: Verdict, a: float, b: float) -> float:
    """An inconclusive claim was tested too and counts; one that is not in this grid was not."""
    return np.nan if verdict == NOT_HERE else min(1.0, 2 * min(a, b))


def smallest_effect(j: Judged, rules: dict) -> float:
    """Distance from its threshold that a part would show with 80 % power, given its replicates and their spread.

    Of a winner: how far the true share of wins has to be above one half. inf where so few replicates never give a
    verdict; NaN where nothing was measured.
    """
    values = j.part.finite
    if j.verdict == NOT_HERE:
        return float("nan")
    if j.part.winner:
        return power.wins(values.size, j.part.above, rules["winner_replicates"], rules["level"]) - j.part.above
    if values.size < rules["replicates"]:
        return float("inf")
    return power.over_replicates(float(values.std(ddof=1)), values.size, rules["level"])
