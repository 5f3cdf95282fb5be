"""S1: the winner, foretold from the base model's samples alone."""

from __future__ import annotations

import numpy as np

from echochamber.analysis.claims.claim import Claim, Finding
from echochamber.analysis.claims.duels import by_cell, factorials, fewest_seeds
from echochamber.analysis.claims.verdicts import Part
from echochamber.analysis.forecast import leave_one_cell_out
from echochamber.analysis.studies import StudyView


def measure(view: StudyView, rules: dict) -> list[Finding]:
    """Leave one cell (mixture) out: the calibrated forecast of its winners, against "the most frequent format wins".

    Each base model is foretold by coefficients from the other cells alone. The claim is about mixtures that were not
    seen, so that they are the replicates: a mixture's models share all that it does to a winner.
    """
    limits = rules["S1"]
    rows = []
    for where, fights in factorials(view):
        foretold = leave_one_cell_out(fights)
        hit = np.array([fight.winner == pick.winner for fight, pick in zip(fights, foretold, strict=True)], dtype=float)
        frequent = np.array([fight.winner == fight.most_frequent for fight in fights], dtype=float)
        seeds = fewest_seeds(view)
        hits, more = (by_cell(fights, values) for values in (hit, hit - frequent))
        parts = (
            Part(f"winners foretold of {len(hits)} unseen mixtures", hits, limits["hits"], seeds=seeds),
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
