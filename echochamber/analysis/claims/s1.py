"""S1: the winner, foretold from the base model's samples alone."""

from __future__ import annotations

import numpy as np

from echochamber.analysis.claims.claim import Claim, Finding
from echochamber.analysis.claims.duels import factorials
from echochamber.analysis.claims.verdicts import Part
from echochamber.analysis.forecast import Duel, leave_one_cell_out
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


def fewest_seeds(view: StudyView) -> int:
    """Pretraining seeds of the mixture with fewest: models of one seed start alike in all mixtures."""
    return int(view.runs.groupby("mixture")["model_seed"].nunique().min())


def by_cell(fights: list[Duel], values: np.ndarray) -> np.ndarray:
    """The mean over the models of each cell, (cells,)."""
    cells = np.array([fight.cell for fight in fights])
    return np.array([values[cells == cell].mean() for cell in dict.fromkeys(cells)])


CLAIM = Claim(
    "S1",
    "Which format RL ends with can be told from the base model's samples before any RL",
    "mixtures",
    measure,
    "no four mixtures of the study contest the same two formats, with more than one winner",
    winner=True,
)
