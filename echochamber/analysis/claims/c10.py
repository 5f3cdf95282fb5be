"""C10 (Fig. 20 of the paper)."""

from __future__ import annotations

import numpy as np

from echochamber.algorithms import ExpertIteration
from echochamber.algorithms.ppo import Ppo
from echochamber.analysis.claims.claim import Claim, Finding, Where, ends, paired
from echochamber.analysis.claims.pairs import pairs
from echochamber.analysis.claims.verdicts import Part
from echochamber.analysis.measured import Measured
from echochamber.analysis.studies import StudyView


def measure(view: StudyView, rules: dict) -> list[Finding]:
    """Expert Iteration shifts the shares less than half as far as PPO, and ends lower."""
    limits = rules["C10"]
    rows = []
    for ei, ppo in pairs(view, ExpertIteration, Ppo):
        before, after = ends(view, ei)
        _, theirs = ends(view, ppo)
        paired(before, theirs)
        half, ppos = limits["shift_ratio"], shift(before, theirs)
        if ppos.mean() < limits["shift"]:
            where = Where.of(ppo, algorithm=f"{ei.algorithm} and {ppo.algorithm}")
            rows.append(Finding.untestable(where, "shift of shares", f"{ppo.algorithm} itself hardly shifts any"))
            continue
        less = shift(before, after) - half * ppos
        names = f"{ei.algorithm} minus {ppo.algorithm}"
        parts = (
            Part(f"shift of shares (total variation), {ei.algorithm} minus {half:g} of {ppo.algorithm}", less, below=0),
            Part(f"pass@1 after RL, {names}", after.greedy - theirs.greedy, below=limits["accuracy_difference"]),
        )
        rows.append(Finding(Where.of(ppo, algorithm=f"{ei.algorithm} and {ppo.algorithm}"), parts))
    return rows


def shift(before: Measured, after: Measured) -> np.ndarray:
    """Each question's part of the total variation between the shares of a replicate: (replicates, questions).

    Half the sum over formats of |mean change| is half the sum of the changes, each with the sign of its mean.
    """
    change = after.written - before.written
    return 0.5 * (np.sign(change.mean(1, keepdims=True)) * change).sum(-1)


CLAIM = Claim(
    "C10",
    "Expert Iteration shifts formats only mildly and ends lower than PPO",
    "algorithms",
    measure,
    "the study has no Expert Iteration beside a PPO",
)
