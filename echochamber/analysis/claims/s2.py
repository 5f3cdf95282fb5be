"""S2: what share and accuracy in the base model do to the odds of winning."""

from __future__ import annotations

import numpy as np
import scipy

from echochamber.analysis.claims.claim import Claim, Finding
from echochamber.analysis.claims.duels import factorials, fewest_seeds
from echochamber.analysis.claims.verdicts import Exact, Part
from echochamber.analysis.studies import StudyView
from echochamber.stats import logistic
from echochamber.stats.intervals import Spread

NAMES = ("share", "accuracy")


def measure(view: StudyView, rules: dict) -> list[Finding]:
    """Over all base models of a study whose mixtures set share and accuracy apart: both raise the odds of winning.

    Logistic regression of which of the two contested formats wins, on the log odds of its share against the other's
    and the difference of their accuracies, with an intercept for all else that tells the two apart. Firth's penalised
    likelihood, since cells are often unanimous. Errors by the jackknife over cells (mixtures), with as many degrees of
    freedom less one: a mixture's models share all else that it does to a winner.
    """
    rows = []
    for where, fights in factorials(view):
        first = fights[0].formats[0]
        x = np.array([[1.0, *fight.features] for fight in fights])
        won = np.array([fight.winner == first for fight in fights])
        cells = np.array([fight.cell for fight in fights])
        parts = []
        for i, name in enumerate(NAMES, 1):
            of = jackknife(x, won, cells, i)
            p_holds = float(scipy.stats.t.sf((of.mean - rules["S2"][name]) / max(of.error, 1e-12), of.df))
            exact = Exact(of.interval(rules["level"]), p_holds, 1 - p_holds, fewest_seeds(view))
            unit = "unit of log odds of its share" if name == "share" else "unit of its accuracy less the other's"
            parts.append(Part(f"log odds that {first} wins, for each {unit}", above=rules["S2"][name], exact=exact))
        rows.append(Finding(where, tuple(parts)))
    return rows


def jackknife(x: np.ndarray, won: np.ndarray, cells: np.ndarray, feature: int) -> Spread:
    """A coefficient, with the standard error of leaving out one cell after the other (Efron and Stein 1981)."""
    names = list(dict.fromkeys(cells))
    out = np.array([logistic.fit(x[cells != cell], won[cells != cell]).coefficients[feature] for cell in names])
    error = np.sqrt((len(names) - 1) / len(names) * ((out - out.mean()) ** 2).sum())
    return Spread(float(logistic.fit(x, won).coefficients[feature]), float(error), len(names) - 1)


CLAIM = Claim(
    "S2",
    "Both the share and the accuracy of a format in the base model raise the odds that RL ends with it",
    "mixtures",
    measure,
    "no four mixtures of the study contest the same two formats, with more than one winner",
)
