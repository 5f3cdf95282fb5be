"""Questions gained and lost by RL, and where the curves of pass@k cross.

"Solved" is a probability here, not an event among the samples drawn: with n samples a question that was solved once
in n is easily lost by chance. So what counts is pass@k, and its curves before and after over k.
"""

from __future__ import annotations

import numpy as np

from echochamber.analysis.samples import Answers
from echochamber.analysis.tables.comparison import Comparison
from echochamber.stats import metrics
from echochamber.stats.columns import MEASURED, OF_RUN, Column, K, Table
from echochamber.stats.intervals import bca, question_intervals, resampling_weights

COVERAGE = Table(
    "coverage",
    "questions gained and lost by RL, change of pass@k, and where the curves cross, of a run or a setting",
    (*OF_RUN, Column("measure", "text", "`pass_change`, `gained`, `lost` or `crossing`"), K, *MEASURED),
    notes=__doc__.partition("\n\n")[2],
)


def coverage(before: Answers, after: Answers) -> list[dict]:
    """Rows measure, k, estimate, low, high for one run against its base model on the same questions.

    change of pass@k for k = 1, 2, 4, ... (`pass_change`); share of questions with a right sample after and none before
    (`gained`) and the other way round (`lost`), at the number of samples that both have; and `crossing`, where the
    curves of pass@k over k cross (`crossing`; inf: not up to that number of samples), with a percentile interval over
    questions.
    """
    n = min(before.correct.shape[1], after.correct.shape[1])
    every = np.arange(1, n + 1)
    old, new = (
        np.stack([metrics.pass_at_k(side.correct.shape[1], side.correct.sum(1), k) for k in every], axis=1)
        for side in (before, after)
    )
    was, now = before.correct[:, :n].any(1), after.correct[:, :n].any(1)
    moved = question_intervals(np.column_stack([now & ~was, was & ~now]))
    ks = metrics.powers_of_two(n)
    change = new - old
    estimate, low, high = np.concatenate([bca(change[:, [k - 1 for k in ks]]), moved], axis=1)
    names = [*(("pass_change", k) for k in ks), ("gained", n), ("lost", n)]
    rows = [
        {"measure": measure, "k": k, "estimate": e, "low": a, "high": b}
        for (measure, k), e, a, b in zip(names, estimate, low, high, strict=True)
    ]
    drawn = crossing(resampling_weights(len(change)) @ change)
    low, high = np.quantile(drawn, [0.025, 0.975], method="inverted_cdf")
    return [
        *rows,
        {
            "measure": "crossing",
            "k": None,
            "estimate": float(crossing(change.mean(0)[None])[0]),
            "low": low,
            "high": high,
        },
    ]


def crossing(change: np.ndarray) -> np.ndarray:
    """The k from which on the base model solves at least as many questions, (curves,).

    change: (curves, n), pass@k after RL minus before, for k = 1 to n. Between whole k linearly in log k; 1 if RL is
    ahead nowhere; inf if it is still ahead at n.
    """
    n = change.shape[1]
    ahead = change > 1e-12
    last = np.where(ahead.any(1), n - ahead[:, ::-1].argmax(1), 0)  # the largest k at which RL is ahead
    crossings = np.ones(len(change))
    inside = (last > 0) & (last < n)
    k, rows = last[inside], np.flatnonzero(inside)
    above, below = change[rows, k - 1], change[rows, k]
    crossings[inside] = np.exp(np.log(k) + above / (above - below) * np.log1p(1 / k))
    crossings[last == n] = np.inf
    return crossings


COMPARISON = Comparison(COVERAGE, coverage, apart=("measure", "k"))
