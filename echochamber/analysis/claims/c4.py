"""C4 (Fig. 4a of the paper)."""

from __future__ import annotations

from echochamber.analysis.claims.claim import Claim, Finding, Where, contested, end, most_frequent, settled, start
from echochamber.analysis.claims.verdicts import Part
from echochamber.analysis.studies import StudyView


def measure(view: StudyView, rules: dict) -> list[Finding]:
    """The final format is not the one that the base models write most, and those do write it most."""
    rows = []
    for c in settled(view, policy_gradient=True):
        if not contested(view, c, rules):
            continue
        before, after = start(view, c), end(view, c)
        first, second = most_frequent(before)
        lead = before.share(first) - before.share(second)
        other = (after.winners != first).astype(float)
        parts = (
            Part(f"share of {first} less that of {second} in the base models", lead, above=rules["C4"]["lead"]),
            Part(f"the final format is not {first}", other, above=rules["majority"], winner=True),
        )
        rows.append(Finding(Where.of(c), parts))
    return rows


CLAIM = Claim(
    "C4",
    "The winner need not be the most frequent format of the base model",
    "mixtures",
    measure,
    "no mixture of the study has two formats that matter",
    winner=True,
)
