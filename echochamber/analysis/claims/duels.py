"""The duels of a study: base models whose two most frequent formats contest, with what RL made of them."""

from __future__ import annotations

from collections import Counter

import numpy as np

from echochamber.analysis.claims.claim import Where, end, most_frequent, settled, start
from echochamber.analysis.forecast import Counted, Duel, features
from echochamber.analysis.studies import Condition, StudyView
from echochamber.formats import FORMATS

LEAST = 3
"""Models that a forecast of two weights is learned from."""


def counted(view: StudyView, condition: Condition) -> list[Counted]:
    """The base models of a condition, one duel each, between the two formats that they write most on average."""
    before, after = start(view, condition), end(view, condition)
    before.after(after)
    a, b = sorted(most_frequent(before), key=FORMATS.index)
    samples = view.k(str(view.own(condition.prompts)))
    rows = []
    for seed, written, right, winner in zip(
        before.seeds, before.written * samples, before.right * samples, after.winners, strict=True
    ):
        total, good = written.sum(0), right.sum(0)
        frequent = FORMATS[int(total.argmax())]
        duel = Duel(condition.mixture, seed, (a, b), features(total, good, (a, b)), frequent, winner)
        rows.append(Counted(duel, written, right))
    return rows


def factorials(view: StudyView) -> list[tuple[Where, list[Duel]]]:
    """The duels of each setting with four mixtures or more, of which not all end with one format."""
    groups = [(where, [each.duel for each in fights]) for where, fights in contests(view)]
    return [
        (where, duels)
        for where, duels in groups
        if len({duel.cell for duel in duels}) >= 4 and len({duel.winner for duel in duels}) > 1
    ]


def fewest_seeds(view: StudyView) -> int:
    """Pretraining seeds of the mixture with fewest: models of one seed start alike in all mixtures."""
    return int(view.runs.groupby("mixture")["model_seed"].nunique().min())


def by_cell(fights: list[Duel], values: np.ndarray) -> np.ndarray:
    """The mean over the models of each cell, (cells,)."""
    cells = np.array([fight.cell for fight in fights])
    return np.array([values[cells == cell].mean() for cell in dict.fromkeys(cells)])


def contests(view: StudyView) -> list[tuple[Where, list[Counted]]]:
    """The duels of each (scale, algorithm, prompts) that are all between the same two formats.

    Of mixtures that can be foretold from the others: `LEAST` models or more are left when one is taken out.
    """
    groups: dict[tuple[str, str, str], list[Counted]] = {}
    for c in settled(view, policy_gradient=True):
        groups.setdefault((c.scale, c.algorithm, c.prompts), []).extend(counted(view, c))
    return [
        (Where(scale=scale, algorithm=algorithm, prompts=prompts), fights)
        for (scale, algorithm, prompts), fights in groups.items()
        if len({each.duel.formats for each in fights}) == 1 and len(fights) - _largest(fights) >= LEAST
    ]


def _largest(fights: list[Counted]) -> int:
    """Duels of the mixture with most."""
    return max(Counter(each.duel.cell for each in fights).values())
