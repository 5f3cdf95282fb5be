"""The forecast of a winner: features by hand, no format by name, and cells that it has not seen."""

from __future__ import annotations

import numpy as np
import pytest

from echochamber.analysis.forecast import Duel, features, fit, leave_one_cell_out, pick
from echochamber.formats import FORMATS

A, B = FORMATS[:2]


def test_features_by_hand():
    written, right = np.zeros(len(FORMATS)), np.zeros(len(FORMATS))
    written[:2], right[:2] = (300, 100), (60, 70)
    odds, accuracy = features(written, right, (A, B))
    assert odds == pytest.approx(np.log(300.5 / 100.5))
    assert accuracy == pytest.approx(60.25 / 300.5 - 70.25 / 100.5)
    assert features(written, right, (B, A)) == pytest.approx((-odds, -accuracy))
    assert np.isfinite(features(np.zeros(5), np.zeros(5), (A, B))).all()


def duels(seed: int, share: float, accuracy: float) -> list[Duel]:
    """Nine cells of six models: the winner by a logistic law of the features."""
    rng = np.random.default_rng(seed)
    fights = []
    for odds in (-1.4, 0.0, 1.4):
        for ahead in (-0.3, 0.0, 0.3):
            for k in range(6):
                x = (odds + rng.normal(0, 0.1), ahead + rng.normal(0, 0.05))
                first = rng.random() < 1 / (1 + np.exp(-(share * x[0] + accuracy * x[1])))
                frequent = A if x[0] > 0 else B
                fights.append(Duel(f"{odds}/{ahead}", k, (A, B), x, frequent, A if first else B))
    return fights


def test_it_finds_the_law_and_knows_no_format_by_name():
    fights = duels(0, 1.0, 20.0)
    coefficients = fit(fights)
    assert coefficients[1] > 8
    swapped = [
        Duel(f.cell, f.seed, (B, A), (-f.features[0], -f.features[1]), f.most_frequent, f.winner) for f in fights
    ]
    assert fit(swapped) == pytest.approx(coefficients, abs=1e-6)
    assert pick(swapped[0], coefficients) == pytest.approx(pick(fights[0], coefficients))


def test_unseen_cells_are_foretold_better_than_by_share_where_accuracy_decides():
    hits = frequent = n = 0
    for seed in range(5):
        fights = duels(seed, 0.3, 30.0)
        foretold = leave_one_cell_out(fights)
        assert all(0.5 <= p.probability <= 1 for p in foretold)
        hits += sum(f.winner == p.winner for f, p in zip(fights, foretold, strict=True))
        frequent += sum(f.winner == f.most_frequent for f in fights)
        n += len(fights)
    assert hits / n > 0.8
    assert hits - frequent > 0.2 * n
