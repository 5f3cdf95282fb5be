"""From replicates and a threshold to a verdict. Pure: numpy and scipy.

A part of a claim says that a mean over replicates lies in a range, or that something happens in most replicates. It
holds if its 95 % interval lies inside the range, fails if it lies outside, and is inconclusive otherwise or with too
few replicates. Where there is one value for each replicate and question, the interval is over both. A claim of several
parts holds if all do (an intersection-union test: the largest p-value) and fails if one does (Bonferroni over its
parts). Holm's correction then runs over the primary rows of a grid, and a claim whose adjusted p-value is above 5 % is
inconclusive.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import scipy

from echochamber.analysis.tables import power
from echochamber.stats.intervals import (
    Interval,
    Spread,
    binomial_tails,
    clopper_pearson,
    crossed_spread,
    holm,
    spread,
    t_interval,
)

Verdict = Literal["holds", "fails", "inconclusive", "not in this grid", "exploratory"]
NOT_HERE: Verdict = "not in this grid"
EXPLORATORY: Verdict = "exploratory"


@dataclass(frozen=True)
class Exact:
    """A test that is no interval of a mean: of a model's coefficient, or of a table of counts."""

    interval: Interval
    p_holds: float
    p_fails: float
    """One-sided."""
    replicates: int


@dataclass(frozen=True)
class Part:
    """One measurement; the hypothesis is that the mean of `values` lies between the bounds.

    values: one number a replicate, or (replicates, questions). With `winner` they are 0 or 1, one a replicate, and the
    hypothesis is about the probability of 1.
    """

    what: str
    values: np.ndarray = field(default_factory=lambda: np.empty(0))
    above: float = -np.inf
    below: float = np.inf
    winner: bool = False
    missing: str | None = None
    """Why it cannot be measured in this grid."""
    exact: Exact | None = None
    """The test itself, where it is another one."""
    seeds: int | None = None
    """How many seeds there are, where `values` are of something else: so many are needed all the same."""

    @property
    def replicates(self) -> int:
        if self.seeds is not None:
            return self.seeds
        return self.exact.replicates if self.exact else len(self.finite)

    @property
    def finite(self) -> np.ndarray:
        """The replicates whose values are all numbers."""
        values = np.asarray(self.values, dtype=float)
        return values[np.isfinite(values).reshape(len(values), -1).all(1)] if values.size else np.empty(0)

    @property
    def threshold(self) -> str:
        """The hypothesis as a range."""
        if np.isfinite(self.above) and np.isfinite(self.below):
            return f"{self.above:g} to {self.below:g}"
        return f"> {self.above:g}" if np.isfinite(self.above) else f"< {self.below:g}"


@dataclass(frozen=True)
class Judged:
    """A part with its interval and its verdict by that interval alone."""

    part: Part
    interval: Interval
    given_models: Interval
    """Over the questions alone: what holds of these very models, whatever other seeds would give. NaN where there is no
    value for each question."""
    p_holds: float
    p_fails: float
    verdict: Verdict


UNKNOWN = Interval(np.nan, np.nan, np.nan)


def judge(part: Part, rules: dict) -> Judged:
    """Interval, p-values and verdict of one part, none if a replicate has no number. rules: thresholds.yaml."""
    values, level = part.finite, rules["level"]
    if len(values) < (every := len(part.values)):  # those that are left would be chosen by how their runs went
        reason = f"{every - len(values)} of {every} replicates have no number"
        part = replace(part, what=f"{part.what}: {reason}", missing=reason)
    if part.missing or part.replicates == 0:
        return Judged(part, UNKNOWN, UNKNOWN, np.nan, np.nan, NOT_HERE)
    given = UNKNOWN
    if part.exact:
        interval, p_holds, p_fails = part.exact.interval, part.exact.p_holds, part.exact.p_fails
    else:
        if part.winner:
            interval = clopper_pearson(round(float(values.sum())), len(values), level)
        elif values.ndim == 2:
            interval = crossed_spread(values).interval(level)
            given = t_interval(values.mean(0), level)
        else:
            interval = t_interval(values, level)
        p_holds, p_fails = _p_values(part, values)
    needed = rules["winner_replicates"] if part.winner else rules["replicates"]
    verdict: Verdict = "inconclusive"
    if part.exact and part.replicates >= needed:
        verdict = _by_p_values(p_holds, p_fails, level)
    elif part.replicates >= needed:
        if interval.low > part.above and interval.high < part.below:
            verdict = "holds"
        elif interval.high < part.above or interval.low > part.below:
            verdict = "fails"
    return Judged(part, interval, given, p_holds, p_fails, verdict)


def _by_p_values(p_holds: float, p_fails: float, level: float) -> Verdict:
    if 2 * min(p_holds, p_fails) > 1 - level:
        return "inconclusive"
    return "holds" if p_holds < p_fails else "fails"


def _p_values(part: Part, values: np.ndarray) -> tuple[float, float]:
    """One-sided p-values for "inside the range" (the larger of its bounds') and "outside" (Bonferroni over them)."""
    tails = [_tails(values, bound, part.winner) for bound in (part.above, part.below) if np.isfinite(bound)]
    if np.isfinite(part.below):
        tails[-1] = tails[-1][::-1]  # below a bound is the other tail
    return max(inside for inside, _ in tails), min(1.0, len(tails) * min(outside for _, outside in tails))


def _tails(values: np.ndarray, bound: float, winner: bool) -> tuple[float, float]:
    """p-values that speak for "above the bound" and for "below the bound"."""
    n = len(values)
    if winner:
        return binomial_tails(round(float(values.sum())), n, bound)
    if n < 2:
        return 0.5, 0.5
    of = crossed_spread(values) if values.ndim == 2 else spread(values)
    distance = of.mean - bound
    if of.error <= 1e-12:  # replicates that agree to the last digit: the exact sign test, n of n
        if abs(distance) <= 1e-12:
            return 0.5, 0.5
        agree = 0.5**n
        return (agree, 1 - agree) if distance > 0 else (1 - agree, agree)
    above = float(scipy.stats.t.sf(distance / of.error, of.df))
    return above, 1 - above


def p_values(parts: list[Judged]) -> tuple[float, float]:
    """p-values that speak for `holds` and for `fails` of a claim of several parts.

    A part that is not measured says neither: with one, only `fails` can be shown. NaN if none is measured.
    """
    holds, fails = [j.p_holds for j in parts], [j.p_fails for j in parts]
    if all(np.isnan(holds)):
        return np.nan, np.nan
    return 1.0 if any(np.isnan(holds)) else max(holds), min(1.0, len(parts) * float(np.nanmin(fails)))


def combined(parts: list[Judged], rules: dict) -> Verdict:
    """The verdict of a claim from those of its parts, before Holm's correction.

    A claim with a part about the winner is inconclusive below the replicates that such a part needs, whatever the
    others.
    """
    winner = [j.part.replicates for j in parts if j.part.winner and not j.part.missing]
    if winner and min(winner) < rules["winner_replicates"] and any(j.verdict != NOT_HERE for j in parts):
        return "inconclusive"
    said = [j.verdict for j in parts]
    if "fails" in said:
        return "fails"
    if NOT_HERE in said:
        return NOT_HERE
    return "holds" if all(v == "holds" for v in said) else "inconclusive"


def correct(
    verdicts: list[Verdict], p: list[tuple[float, float]], level: float, family: int = 0
) -> tuple[list[Verdict], np.ndarray]:
    """Holm's correction over the primary rows of a grid: a verdict stands if its adjusted two-sided p-value does.

    family: primary rows that the grid file names. Those among them that are not tested (yet) count as if they had
    shown nothing, so that no verdict is taken back when they are.

    Returns the verdicts and those p-values, NaN for a claim that is not in the grid.
    """
    each = [two_sided(v, *tails) for v, tails in zip(verdicts, p, strict=True)]
    untested = max(0, family - int(np.isfinite(each).sum()))
    adjusted = holm(each + [1.0] * untested)[: len(each)]
    stand = [
        "inconclusive" if v in ("holds", "fails") and not q <= 1 - level + 1e-12 else v
        for v, q in zip(verdicts, adjusted, strict=True)
    ]
    return stand, adjusted


def two_sided(verdict: Verdict, p_holds: float, p_fails: float) -> float:
    """An inconclusive claim was tested too and counts; one that is not in this grid was not."""
    if verdict == NOT_HERE:
        return np.nan
    p = {"holds": p_holds, "fails": p_fails}.get(verdict, min(p_holds, p_fails))
    return min(1.0, 2 * p)


def smallest_effect(j: Judged, rules: dict) -> float:
    """Distance from its threshold that a part would show with 80 % power, given its replicates and their spread.

    For a part about winners: the smallest true share of wins. inf: these replicates never show any; NaN: not measured,
    or not by a mean over replicates.
    """
    values = j.part.finite
    if j.verdict == NOT_HERE or j.part.exact:
        return np.nan
    if j.part.winner:
        return power.wins(len(values), j.part.above, rules["winner_replicates"], rules["level"])
    if len(values) < rules["replicates"]:
        return np.inf
    of: Spread = crossed_spread(values) if values.ndim == 2 else spread(values)
    return power.over_replicates(of.error * np.sqrt(len(values)), len(values), rules["level"])
