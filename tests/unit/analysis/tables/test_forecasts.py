"""The forecast table against sums by hand."""

from __future__ import annotations

import fabricated
import numpy as np
import pytest

from echochamber.analysis import samples
from echochamber.analysis.tables import forecasts
from echochamber.formats import FORMATS

STUDY = {"mixtures": ["tg+omi1+omi2", "tg+4xomi1"], "model_seeds": [0]}


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    grid = fabricated.grid(tmp_path_factory.mktemp("results"), one=STUDY)
    fabricated.fabricate(grid, questions=60)
    return grid


def test_a_grid_of_base_models_alone_has_forecasts(grid):
    table = forecasts.table(grid)
    assert set(table["id"]) == {"tg+omi1+omi2/nano/seed0", "tg+4xomi1/nano/seed0"}
    for id, rows in table.groupby("id"):
        (drawn,) = (a for (_, mode), a in samples.read(grid.paths.samples(id, "synth-gsm")).items() if mode == "sample")
        shares = [(drawn.format == i).mean() for i in range(len(FORMATS))]
        right = [drawn.correct[drawn.format == i].mean() if shares[i] >= 0.02 else -1 for i in range(len(FORMATS))]
        winner = rows[rows["measure"] == "winner"].set_index(["forecast", "beta"])["format"]
        assert winner["most frequent"].item() == FORMATS[int(np.argmax(shares))]
        assert winner["most accurate"].item() == FORMATS[int(np.argmax(right))]
        calibrated = rows[rows["forecast"] == "calibrated"].iloc[0]
        a, b = sorted(np.argsort(shares)[-2:])
        odds = np.log((drawn.format == a).sum() + 0.5) - np.log((drawn.format == b).sum() + 0.5)
        gap = drawn.correct[drawn.format == a].mean() - drawn.correct[drawn.format == b].mean()
        first = 1 / (1 + np.exp(-(0.8076 * odds + 22.63 * gap)))
        assert calibrated["format"] == FORMATS[a if first > 0.5 else b]
        assert calibrated["estimate"] == pytest.approx(max(first, 1 - first), abs=0.005)
        now = rows[rows["measure"] == "accuracy_now"].iloc[0]
        assert now["estimate"] == pytest.approx(drawn.correct.mean())
        ceiling = rows[rows["measure"] == "ceiling"].iloc[0]
        assert ceiling["estimate"] == pytest.approx(drawn.correct.any(1).mean())
        at_limit = rows[(rows["forecast"] == "limit") & (rows["measure"] == "accuracy")].iloc[0]
        assert at_limit["estimate"] == pytest.approx(ceiling["estimate"])
        for _, law in rows[rows["measure"] == "share"].groupby("beta"):
            assert law["estimate"].sum() == pytest.approx(1)


def test_the_reward_at_a_coefficient_by_hand():
    """Half right at coefficient 1: e / (e + 1); none and all stay."""
    reward = forecasts._reward(np.array([0.0, 0.5, 1.0]), 1.0)
    assert reward == pytest.approx([0.0, np.e / (np.e + 1), 1.0])


def test_a_larger_coefficient_foretells_less(grid):
    table = forecasts.table(grid)
    gains = table[(table["measure"] == "gain") & (table["id"] == "tg+4xomi1/nano/seed0")].sort_values("beta")
    assert (np.diff(gains["estimate"]) < 0).all()


def test_missing_samples_are_named(grid, tmp_path):
    path = grid.paths.samples("tg+4xomi1/nano/seed0", "synth-gsm")
    path.rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError, match=r"samples\.parquet: found nothing, allowed: the samples of tg\+4xomi1"):
        forecasts.table(grid)
