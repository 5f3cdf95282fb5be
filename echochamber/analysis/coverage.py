"""Questions gained and lost by RL, and the k from which on the base model solves more.

"Solved" is a probability here, not an event among the samples drawn: with n samples a question that was solved once
in n is easily lost by chance. So what counts is pass@k, and its curves before and after over k.
"""

from __future__ import annotations

import numpy as np

from echochamber import metrics
from echochamber.analysis.samples import Answers
from echochamber.intervals import bca, question_intervals


def coverage(before: Answers, after: Answers) -> list[dict]:
    """Rows measure, k, estimate, low, high for one run against its base model on the same questions.

    change of pass@k for each k (`pass_change`); share of questions with a right sample after and none before
    (`gained`) and the other way round (`lost`), at the number of samples that both have; and `crossing`, the
    smallest k from which on pass@k of the base model is at least that after RL (NaN: none; no interval).
    """
    n = min(before.correct.shape[1], after.correct.shape[1])
    ks = metrics.powers_of_two(n)
    old, new = (
        np.stack([metrics.pass_at_k(side.correct.shape[1], side.correct.sum(1), k) for k in ks], axis=1)
        for side in (before, after)
    )
    was, now = before.correct[:, :n].any(1), after.correct[:, :n].any(1)
    moved = question_intervals(np.column_stack([now & ~was, was & ~now]))
    estimate, low, high = np.concatenate([bca(new - old), moved], axis=1)
    names = [*(("pass_change", k) for k in ks), ("gained", n), ("lost", n)]
    rows = [
        {"measure": measure, "k": k, "estimate": e, "low": a, "high": b}
        for (measure, k), e, a, b in zip(names, estimate, low, high, strict=True)
    ]
    behind = estimate[: len(ks)] <= 0
    from_here_on = [k for i, k in enumerate(ks) if behind[i:].all()]
    crossing = float(from_here_on[0]) if from_here_on else float("nan")
    return [*rows, {"measure": "crossing", "k": None, "estimate": crossing, "low": np.nan, "high": np.nan}]
