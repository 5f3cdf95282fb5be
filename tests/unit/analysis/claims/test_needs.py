"""Which claims a grid can decide, before it runs."""

from pathlib import Path

import fabricated
import pandas as pd
import pytest

from echochamber.analysis.claims import needs
from echochamber.grid import parsing
from echochamber.grid.expansion import Grid

ROOT = Path(__file__).parents[4]

RUNS = {"mixtures": ["tg+omi1+omi2"], "prompts": ["synth-gsm"], "run_seeds": [0, 1, 2]}


def only(tmp_path, **study):
    (need,) = needs.needs(fabricated.grid(tmp_path, one=RUNS | study))
    return need


def test_seeds_that_are_there_and_that_are_needed(tmp_path):
    one = only(tmp_path, algorithms=["ppo"], claims=["C1"])
    assert (one.kind, one.has, one.needs, one.decidable) == (needs.RL, 3, 3, True)
    winner = only(tmp_path, mixtures=["tg", "tg+omi1+omi2"], algorithms=["grpo"], claims=["C4"])
    assert (winner.has, winner.needs, winner.decidable) == (3, 6, False)


def test_c7_needs_a_neutral_twin_which_real_text_has_not(tmp_path):
    synthetic = only(tmp_path, algorithms=["grpo"], claims=["C7"])
    assert (synthetic.kind, synthetic.has, synthetic.needs) == (needs.RL, 3, 3)
    grid = Grid(parsing.load(ROOT / "config/paper.yaml").file, tmp_path)
    (real,) = (need for need in needs.needs(grid) if need.claim == "C7")
    assert (real.kind, real.has, real.never) == ("texts with a neutral twin", 0, "not on these texts")
    table = needs.priced(grid)
    assert pd.isna(table.loc[table["claim"] == "C7", "hours"].item())


@pytest.mark.parametrize(
    ("level", "coefficient", "missing"),
    [("token", 0.1, "strict algorithms"), ("sequence", 0.01, "KL of 0.1 or 0.3 or 1"), ("sequence", 0.3, "")],
)
def test_t1_needs_a_penalty_on_whole_completions_and_coefficients_of_a_tenth_and_more(
    tmp_path, level, coefficient, missing
):
    file = fabricated.grid_file(one=RUNS | {"algorithms": ["rloo"], "claims": ["T1"]})
    kl = {"place": "reward", "level": level, "coefficient": coefficient}
    file["algorithms"]["rloo"] = {"kind": "rloo", "update_batch": 512, "kl": kl}
    grid = fabricated.of(file, tmp_path)
    (need,) = needs.needs(grid)
    assert need.decidable is not bool(missing)
    table = needs.priced(grid)
    if missing:
        assert (need.kind, need.has, need.never) == (missing, 0, "not with these algorithms")
        assert pd.isna(table["hours"].iloc[0])
        assert "not with these algorithms" in needs.readable(grid)
    else:
        assert (need.kind, need.has, need.needs) == (needs.RL, 3, 3)
