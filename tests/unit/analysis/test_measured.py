"""Replicates by questions: what is averaged, what must be there, and jackknife pseudo-values by brute force."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from echochamber.analysis.measured import measured, pseudo_values
from echochamber.analysis.tables.per_question import RIGHT, WRITTEN
from echochamber.formats import FORMATS


def rows(id: str, written: list[list[int]], right: list[list[int]], **more) -> pd.DataFrame:
    """Of one run that answers questions q0, q1, ... with 4 samples each, in the first two formats."""
    table = pd.DataFrame({"id": id, "question_id": [f"q{i}" for i in range(len(written))], "samples": 4})
    table[list(WRITTEN)] = np.pad(np.array(written), ((0, 0), (0, len(FORMATS) - 2)))
    table[list(RIGHT)] = np.pad(np.array(right), ((0, 0), (0, len(FORMATS) - 2)))
    return table.assign(**({"majority": 0.5, "greedy": 1.0, "right_steps": np.nan} | more))


RUNS = pd.DataFrame({"id": ["a", "b", "c"], "model_seed": [0, 0, 1], "run_seed": [0, 1, 0]})
TABLE = pd.concat(
    [
        rows("a", [[4, 0], [2, 2]], [[3, 0], [0, 0]]),
        rows("b", [[2, 2], [2, 2]], [[1, 0], [2, 2]]),
        rows("c", [[0, 4], [1, 3]], [[0, 1], [0, 0]], right_steps=[1, 0]),
    ]
).sample(frac=1, random_state=0)


def test_rl_seeds_are_averaged_within_a_base_model():
    found = measured(TABLE, RUNS)
    assert found.seeds == (0, 1)
    assert found.questions == ("q0", "q1")
    assert found.share(FORMATS[0]).tolist() == [[0.75, 0.5], [0.0, 0.25]]
    assert found.accuracy.tolist() == [[0.5, 0.5], [0.25, 0.0]]
    assert found.pass_at_k.tolist() == [[1.0, 0.5], [1.0, 0.0]]  # a solves q0 alone, b both
    assert found.winners.tolist() == [FORMATS[0], FORMATS[1]]
    assert np.isnan(found.right_steps[0]).all()
    assert found.pass_by_steps[1].tolist() == [1.0, 0.0]


def test_a_missing_run_or_question_raises():
    with pytest.raises(ValueError, match="found no rows of c"):
        measured(TABLE[TABLE["id"] != "c"], RUNS)
    with pytest.raises(ValueError, match="c answered other questions than a"):
        measured(TABLE[(TABLE["id"] != "c") | (TABLE["question_id"] == "q0")], RUNS)


def test_replicates_of_two_conditions_must_be_the_same():
    both, one = measured(TABLE, RUNS), measured(TABLE[TABLE["id"] == "c"], RUNS[RUNS["id"] == "c"])
    with pytest.raises(ValueError, match="allowed: the same"):
        both.after(one)


def test_pseudo_values_of_a_mean_are_the_values():
    values = np.random.default_rng(0).random((3, 7))
    assert pseudo_values(lambda total, n: total / n, values, np.ones_like(values)) == pytest.approx(values)


def test_pseudo_values_of_a_ratio_by_leaving_one_out_at_a_time():
    rng = np.random.default_rng(1)
    above, below = rng.random((2, 6)), rng.random((2, 6)) + 0.5
    found = pseudo_values(lambda a, b: a / b, above, below)
    for i in range(2):
        whole = above[i].sum() / below[i].sum()
        for q in range(6):
            rest = np.delete(above[i], q).sum() / np.delete(below[i], q).sum()
            assert found[i, q] == pytest.approx(6 * whole - 5 * rest)
