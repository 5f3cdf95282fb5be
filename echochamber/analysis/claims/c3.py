"""C3 (Figs. 3 and 8 of the paper)."""

from __future__ import annotations

import numpy as np

from echochamber.analysis import replicates
from echochamber.analysis.claims.claim import Claim, Finding, Where, end, own, paired, start, trend, winner
from echochamber.analysis.claims.verdicts import Part
from echochamber.analysis.studies import SHARES, Condition, StudyView, final_kl, kl_families
from echochamber.formats import FORMATS
from echochamber.stats.intervals import t_interval

END = 0.1
"""Share of a run's rollout batches that is its end."""


def measure(view: StudyView, rules: dict) -> list[Finding]:
    """Along the whole ladder of coefficients: more of the second format, pass@1 about equal, pass@k higher.

    Each is what the straight line over the ladder's rungs, replicate by replicate, makes of it from the lowest to the
    highest coefficient. The runs must have come to rest and the final KL must fall along the ladder: else it tests
    nothing.
    """
    limits = rules["C3"]
    rows = []
    for ladder in kl_families(view):
        low, benchmark = ladder[0], own(view, ladder[0])
        where = Where.of(low, algorithm=None)
        reason = _untestable(view, ladder, limits)
        names = f"from {low.algorithm} to {ladder[-1].algorithm}"
        if reason:
            rows.append(Finding.untestable(where, names, reason))
            continue
        shares = start(view, low).shares.mean(0)
        shares[FORMATS.index(winner(view, low))] = -1
        second, k = FORMATS[int(shares.argmax())], view.k(benchmark)
        finals = [end(view, c) for c in ladder]
        paired(*finals)
        rungs = np.arange(len(ladder)) / (len(ladder) - 1)
        limit = limits["accuracy_difference"]
        share = trend(rungs, [m.share(second) for m in finals])
        greedy = trend(rungs, [m.greedy for m in finals])
        best = trend(rungs, [m.pass_at_k for m in finals])
        parts = (
            Part(f"share of {second}, {names} by the trend", share, above=limits["second_share"]),
            Part(f"pass@1, {names} by the trend", greedy, -limit, limit),
            Part(f"pass@{k}, {names} by the trend", best, above=limits["pass_difference"]),
        )
        rows.append(Finding(where, parts))
    return rows


def _untestable(view: StudyView, ladder: list[Condition], limits: dict) -> str | None:
    """Why a ladder cannot test the claim; None: it can."""
    kl = [replicates.by_replicate(final_kl(view, c), "kl") for c in ladder]
    rungs = np.arange(len(ladder)) / (len(ladder) - 1)
    slopes = trend(rungs, [values.to_numpy(dtype=float)[:, None] for values in kl])[:, 0]
    means = ", ".join(f"{values.mean():.3g}" for values in kl)
    if len(slopes) > 1 and not t_interval(slopes).high < 0:
        return f"the final KL does not fall measurably along it ({means} nats)"
    moving = {c.algorithm: _movement(view, c) for c in ladder}
    restless = [f"{name} {value:.2g}" for name, value in moving.items() if value >= limits["movement"]]
    if restless:
        return f"shares still move at the end, by a total variation of {', '.join(restless)}"
    return None


def _movement(view: StudyView, condition: Condition) -> float:
    """Total variation between mean shares of the last tenth of the rollout batches and of the tenth before."""
    rows = view.of(condition, view.training)
    part = rows["step"] / rows.groupby("id")["step"].transform("max")
    last, before = rows[part > 1 - END], rows[(part > 1 - 2 * END) & (part <= 1 - END)]
    return float(0.5 * (last[SHARES].mean() - before[SHARES].mean()).abs().sum())


CLAIM = Claim(
    "C3",
    "A larger KL coefficient keeps some of the second format, at comparable pass@1 and higher pass@k",
    "kl",
    measure,
    "no two algorithms of the study differ in their KL alone",
)
