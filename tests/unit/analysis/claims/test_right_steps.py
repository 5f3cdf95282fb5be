"""One measure for all sides of a comparison."""

from __future__ import annotations

import dataclasses

import numpy as np

from echochamber.analysis.claims import right_steps
from echochamber.analysis.claims.b2 import beyond
from echochamber.analysis.measured import Measured

ONE = np.array([[0.5, 0.25]])
LOOKED_AT = Measured(
    seeds=(0,),
    questions=("q0", "q1"),
    written=ONE[..., None],
    right=ONE[..., None],
    pass_at_k=ONE,
    majority=ONE,
    greedy=np.array([[1.0, 0.0]]),
    right_steps=ONE / 2,
    pass_by_steps=np.array([[1.0, 0.5]]),
)
UNKNOWN = ONE * np.nan
NOT = dataclasses.replace(LOOKED_AT, right_steps=UNKNOWN, pass_by_steps=UNKNOWN, greedy=np.array([[1.0, 1.0]]))


def test_right_steps_count_where_all_sides_have_them():
    assert right_steps.known(LOOKED_AT, LOOKED_AT)
    assert right_steps.best(LOOKED_AT, True).tolist() == [[1.0, 0.5]]
    assert right_steps.gain(LOOKED_AT, LOOKED_AT, True).tolist() == [[0.0, 0.0]]


def test_else_the_answers_of_all_sides():
    assert not right_steps.known(LOOKED_AT, NOT)
    assert right_steps.gain(LOOKED_AT, NOT, False).tolist() == [[0.0, 1.0]]
    by_answers = beyond(NOT, NOT, 4)
    assert np.array_equal(beyond(LOOKED_AT, NOT, 4), by_answers)
    assert np.array_equal(beyond(NOT, LOOKED_AT, 4), by_answers)
    assert not np.array_equal(beyond(LOOKED_AT, LOOKED_AT, 4), by_answers)
