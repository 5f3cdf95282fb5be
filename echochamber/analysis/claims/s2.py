"""S2: what share and accuracy in the base model do to the odds of winning."""

from __future__ import annotations

import numpy as np

from echochamber.analysis.claims.claim import Claim, Finding
from echochamber.analysis.claims.duels import factorials
from echochamber.analysis.claims.verdicts import Exact, Part
from echochamber.analysis.studies import StudyView
from echochamber.stats import logistic
from echochamber.stats.intervals import Interval

NAMES = ("share", "accuracy")


def measure(view: StudyView, rules: dict) -> list[Finding]:
    """Over all base models of a study whose mixtures set share and accuracy apart: both raise the odds of winning.

    Logistic regression of which of the two contested formats wins, on the log odds of its share against the other's
    and the difference of their accuracies, with an intercept for all else that tells the two apart. Firth's penalised
    likelihood, since cells are often unanimous.
    """
    rows = []
    for where, fights in factorials(view):
        first = fights[0].formats[0]
        x = np.array([[1.0, *fight.features] for fight in fights])
        won = np.array([fight.winner == first for fight in fights])
        model = logistic.fit(x, won)
        parts = []
        for i, name in enumerate(NAMES, 1):
            low, high = logistic.profile_interval(x, won, i, level=rules["level"])
            p_holds, p_fails = logistic.one_sided(x, won, i, rules["S2"][name])
            exact = Exact(Interval(float(model.coefficients[i]), low, high), p_holds, p_fails, len(fights))
            unit = "unit of log odds of its share" if name == "share" else "unit of its accuracy less the other's"
            parts.append(Part(f"log odds that {first} wins, for each {unit}", above=rules["S2"][name], exact=exact))
        rows.append(Finding(where, tuple(parts)))
    return rows


CLAIM = Claim(
    "S2",
    "Both the share and the accuracy of a format in the base model raise the odds that RL ends with it",
    "mixtures",
    measure,
    "no four mixtures of the study contest the same two formats, with more than one winner",
)
