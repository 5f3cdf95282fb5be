"""C2 (Fig. 2 of the paper)."""

from __future__ import annotations

import numpy as np

from echochamber.analysis.claims.claim import Claim, Finding, Where, ends, own, settled
from echochamber.analysis.claims.verdicts import Part
from echochamber.analysis.studies import StudyView


def measure(view: StudyView, rules: dict) -> list[Finding]:
    """majority@k rises; pass@k ends below its maximum before the end.

    The maximum of noisy checkpoints is above the end even if nothing declines. So each replicate's step of the maximum
    is chosen on the other replicates and one half of the questions (every other one), and its fall is measured on the
    other half.
    """
    rows = []
    for c in settled(view, policy_gradient=True):
        before, after = ends(view, c)
        k = view.k(own(view, c))
        earlier = np.stack([view.measured(c, own(view, c), step).pass_at_k for step in view.steps(c)[:-1]])
        parts = (
            Part(
                f"majority@{k}, end minus start", after.majority - before.majority, above=rules["C2"]["majority_gain"]
            ),
            Part(
                f"pass@{k}, end minus its maximum (step chosen on other replicates and questions)",
                (after.pass_at_k - peaks(earlier))[:, 1::2],
                below=rules["C2"]["pass_change"],
            ),
        )
        rows.append(Finding(Where.of(c), parts))
    return rows


def peaks(earlier: np.ndarray) -> np.ndarray:
    """Each replicate at the step where the others are highest on every other question, the first among them.

    A single replicate has its own step. earlier: (steps, replicates, questions). Returns (replicates, questions).
    """
    means = earlier[:, :, ::2].mean(2)
    others = means if means.shape[1] == 1 else means.sum(1, keepdims=True) - means
    return earlier[others.argmax(0), np.arange(earlier.shape[1])]


CLAIM = Claim(
    "C2",
    "majority@k rises while pass@k declines towards the end",
    "passk",
    measure,
    "the study has no policy-gradient run whose own question set is measured",
)
