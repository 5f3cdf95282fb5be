"""S4: whether the rule of the reward decides the winner."""

from __future__ import annotations

from itertools import combinations

from echochamber.analysis.claims.claim import Claim, Finding, Where, end, paired, settled
from echochamber.analysis.claims.verdicts import Part
from echochamber.analysis.studies import Condition, StudyView


def measure(view: StudyView, rules: dict) -> list[Finding]:
    """From the same base models, runs that differ in the rule of the reward alone end with different formats."""
    rows = []
    for a, b in combinations(settled(view, policy_gradient=True), 2):
        if _setting(view, a) == _setting(view, b) and all(view.algorithm(c).rule for c in (a, b)):
            one, other = end(view, a), end(view, b)
            paired(one, other)
            differ = (one.winners != other.winners).astype(float)
            what = f"the final formats under {view.algorithm(a).reward} and {view.algorithm(b).reward} differ"
            part = Part(what, differ, above=rules["S4"]["differ"], winner=True)
            rows.append(Finding(Where.of(a, algorithm=None), (part,)))
    return rows


def _setting(view: StudyView, c: Condition) -> tuple:
    """All that two conditions must share: everything but the rule."""
    return c.mixture, c.scale, c.prompts, view.algorithm(c).model_dump_json(exclude={"reward"})


CLAIM = Claim(
    "S4",
    "The rule by which answers are rewarded decides which format wins",
    "algorithms",
    measure,
    "no two algorithms of the study differ in the rule of their reward alone",
    winner=True,
)
