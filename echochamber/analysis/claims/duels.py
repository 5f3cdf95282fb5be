"""The duels of a study: base models whose two most frequent formats contest, with what RL made of them."""

from __future__ import annotations

import numpy as np

from echochamber.analysis.claims.claim import Where, end, most_frequent, settled, start
from echochamber.analysis.forecast import Duel, features
from echochamber.analysis.measured import Measured
from echochamber.analysis.studies import Condition, StudyView
from echochamber.formats import FORMATS


def duels(view: StudyView, condition: Condition) -> list[Duel]:
    """The base models of a condition, one duel each, between the two formats that they write most on average."""
    before, after = start(view, condition), end(view, condition)
    before.after(after)
    a, b = sorted(most_frequent(before), key=FORMATS.index)
    samples = view.k(str(view.own(condition.prompts)))
    return [
        Duel(condition.mixture, seed, (a, b), features(written, right, (a, b)), FORMATS[int(written.argmax())], winner)
        for seed, written, right, winner in zip(before.seeds, *_counts(before, samples), after.winners, strict=True)
    ]


def _counts(measured: Measured, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Completions by format and right ones: (replicates, formats) each."""
    return measured.written.sum(1) * samples, measured.right.sum(1) * samples


def factorials(view: StudyView) -> list[tuple[Where, list[Duel]]]:
    """The base models of each (scale, algorithm, prompts) with four mixtures or more of the same two formats."""
    groups: dict[tuple[str, str, str], list[Duel]] = {}
    for c in settled(view, policy_gradient=True):
        groups.setdefault((c.scale, c.algorithm, c.prompts), []).extend(duels(view, c))
    rows = []
    for (scale, algorithm, prompts), fights in groups.items():
        pairs = {fight.formats for fight in fights}
        if len(pairs) == 1 and len({fight.cell for fight in fights}) >= 4 and len({f.winner for f in fights}) > 1:
            rows.append((Where(scale=scale, algorithm=algorithm, prompts=prompts), fights))
    return rows
