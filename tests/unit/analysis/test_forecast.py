"""The forecast of a winner: features by hand, no format by name, and cells that it has not seen."""

from __future__ import annotations

import numpy as np
import pytest

from echochamber.analysis import forecasters
from echochamber.analysis.forecast import Counted, Duel, features, fit, leave_one_cell_out, pick
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
    one, other = (pick(f.features, f.formats, coefficients) for f in (fights[0], swapped[0]))
    assert other == pytest.approx(one)


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


def counted(duel: Duel, accuracies: tuple[float, float], questions: int = 40, samples: int = 8) -> Counted:
    """A duel with counts that have its odds and these accuracies, the same on every question."""
    share = 1 / (1 + np.exp(-duel.features[0]))
    written, right = np.zeros((questions, len(FORMATS))), np.zeros((questions, len(FORMATS)))
    written[:, :2] = samples * share, samples * (1 - share)
    right[:, :2] = written[:, :2] * accuracies
    return Counted(duel, written, right)


def test_forecasters_by_hand():
    """A share of .2 at accuracy .9 against .8 at .3: the limit gives .18 / (.18 + .24), still less than a half."""
    odds = float(np.log(0.2 / 0.8))
    fights = [counted(Duel("x", 0, (A, B), (odds, 0.6), B, A), (0.9, 0.3))]
    for seed, (other, gap, winner) in enumerate(((-1.0, 0.1, A), (0.5, -0.2, B), (1.0, 0.3, A))):
        for cell in ("x", "y"):
            duel = Duel(cell, 1 + seed, (A, B), (other, gap), A if other > 0 else B, winner)
            fights.append(counted(duel, (0.5 + gap, 0.5)))
    by_name = {f.forecaster: f for f in forecasters.leave_one_cell_out(fights) if f.duel is fights[0].duel}
    assert by_name["most frequent"].winner == by_name["limit"].winner == B
    assert by_name["most accurate"].winner == A
    limit = forecasters.forecasters()["limit"](fights[0].written, fights[0].right, (0, 1))
    assert limit == pytest.approx(np.log([[0.18 / 0.24]]))
    softmax = forecasters.forecasters()["softmax dynamics"](fights[0].written, fights[0].right, (0, 1))
    assert softmax[0, 0] == pytest.approx(odds)  # at time 0 nothing has moved
    assert softmax[-1, 0] > 3  # in the end the most accurate one has won
    assert (np.diff(softmax[:, 0]) > -1e-3).all()


def test_the_loss_of_a_forecast_is_that_of_its_probability():
    duel = Duel("x", 0, (A, B), (0.0, 0.0), A, B)
    said = forecasters.Foretold("any", duel, A, 0.8)
    assert said.loss == pytest.approx(-np.log(0.2))
    assert not said.hit


def test_one_cell_foretells_nothing():
    with pytest.raises(ValueError, match="cells: found 1, allowed: two or more"):
        forecasters.leave_one_cell_out([counted(Duel("x", 0, (A, B), (0.0, 0.1), A, A), (0.5, 0.4))])
