"""S3: how much of RL's gain is selection between formats."""

from __future__ import annotations

import numpy as np

from echochamber.analysis.claims.claim import Claim, Finding, Where, contested, ends, settled
from echochamber.analysis.claims.verdicts import Part
from echochamber.analysis.measured import Measured, pseudo_values
from echochamber.analysis.studies import StudyView
from echochamber.analysis.tables.decomposition import decompose


def measure(view: StudyView, rules: dict) -> list[Finding]:
    """Selection, other formats each as good as before, is at least half of the gain in accuracy, which is a gain."""
    least = rules["S3"]["selection"]
    rows = []
    for c in settled(view, policy_gradient=True):
        if contested(view, c, rules):
            before, after = ends(view, c)
            excess = selection_beyond(before, after, least)
            parts = (
                Part("gain in accuracy", after.accuracy - before.accuracy, above=0),
                Part(f"gain by selection between formats, less {least:g} of the whole gain", excess, above=0),
            )
            rows.append(Finding(Where.of(c), parts))
    return rows


def selection_beyond(before: Measured, after: Measured, part: float) -> np.ndarray:
    """Selection minus `part` of the gain, as pseudo-values: (replicates, questions)."""

    def beyond(*sums: np.ndarray) -> np.ndarray:
        parts = decompose(*sums).sum(-1)
        return parts[..., 0] - part * parts.sum(-1)

    return pseudo_values(beyond, before.written, before.right, after.written, after.right)


CLAIM = Claim(
    "S3",
    "Selection between formats is at least half of what RL gains in accuracy",
    "formats",
    measure,
    "no mixture of the study has two formats that matter",
)
