"""S1: the winner, foretold from the base model's samples alone."""

from __future__ import annotations

import numpy as np

from echochamber.analysis.claims.claim import Claim, Finding
from echochamber.analysis.claims.duels import by_cell, factorials, fewest_seeds
from echochamber.analysis.claims.verdicts import Exact, Part
from echochamber.analysis.forecast import leave_one_cell_out
from echochamber.analysis.studies import StudyView
from echochamber.stats.intervals import binomial_tails, clopper_pearson, clustered_trials


def measure(view: StudyView, rules: dict) -> list[Finding]:
    """Leave one cell (mixture) out: the calibrated forecast of its winners, against "the most frequent format wins".

    Each base model is foretold by coefficients from the other cells alone. The claim is about mixtures that were not
    seen, so that they are the replicates: a mixture's models share all that it does to a winner. Nine mixtures that
    are foretold without a miss are no more than nine trials, and .90 asks for 36 of these.
    """
    limits = rules["S1"]
    rows = []
    for where, fights in factorials(view):
        foretold = leave_one_cell_out(fights)
        hit = np.array([fight.winner == pick.winner for fight, pick in zip(fights, foretold, strict=True)], dtype=float)
        frequent = np.array([fight.winner == fight.most_frequent for fight in fights], dtype=float)
        seeds = fewest_seeds(view)
        hits, more = (by_cell(fights, values) for values in (hit, hit - frequent))
        trials = clustered_trials(hits, len(hit), rules["level"])
        tails = binomial_tails(*trials, limits["hits"])
        exact = Exact(clopper_pearson(*trials, rules["level"]), *tails, replicates=seeds)
        parts = (
            Part(f"winners foretold of {len(hits)} unseen mixtures", above=limits["hits"], exact=exact),
            Part(
                "the same, less those of the most frequent format", more, limits["more_than_most_frequent"], seeds=seeds
            ),
        )
        rows.append(Finding(where, parts))
    return rows


CLAIM = Claim(
    "S1",
    "Which format RL ends with can be told from the base model's samples before any RL",
    "mixtures",
    measure,
    "no four mixtures of the study contest the same two formats, with more than one winner",
    winner=True,
)
