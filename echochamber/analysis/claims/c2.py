"""C2 (Fig. 2 of the paper)."""

from __future__ import annotations

import numpy as np

from echochamber.analysis.claims.claim import Claim, Finding, Where, ends, own, settled
from echochamber.analysis.claims.verdicts import Part
from echochamber.analysis.studies import StudyView


def measure(view: StudyView, rules: dict) -> list[Finding]:
    """majority@k rises; pass@k ends below its maximum before the end.

    The maximum of noisy checkpoints is above the end even if nothing declines. So the step of the maximum is chosen on
    one half of the questions (every other one), and the fall is measured on the other half.
    """
    rows = []
    for c in settled(view, policy_gradient=True):
        before, after = ends(view, c)
        k = view.k(own(view, c))
        earlier = [view.measured(c, own(view, c), step).pass_at_k for step in view.steps(c)[:-1]]
        peak = earlier[int(np.argmax([values[:, ::2].mean() for values in earlier]))]
        parts = (
            Part(
                f"majority@{k}, end minus start", after.majority - before.majority, above=rules["C2"]["majority_gain"]
            ),
            Part(
                f"pass@{k}, end minus its maximum (step chosen on the other half of the questions)",
                (after.pass_at_k - peak)[:, 1::2],
                below=rules["C2"]["pass_change"],
            ),
        )
        rows.append(Finding(Where.of(c), parts))
    return rows


CLAIM = Claim(
    "C2",
    "majority@k rises while pass@k declines towards the end",
    "passk",
    measure,
    "the study has no policy-gradient run whose own question set is measured",
)
