"""Sums and means over the rows of runs: a row or a value that is missing is an error, no smaller sum."""

import numpy as np
import pandas as pd
import pytest

from echochamber.analysis import replicates

ROWS = pd.DataFrame(
    {
        "id": ["a", "a", "b", "b"],
        "model_seed": pd.array([0, 0, None, None], dtype="Int64"),
        "run_seed": [0, 0, 1, 1],
        "estimate": [0.25, 0.5, 0.125, 0.125],
    }
)


def test_sums_and_means_of_runs():
    assert replicates.of_each_run(ROWS, "estimate", "sum", parts=2)["estimate"].tolist() == [0.75, 0.25]
    assert replicates.of_each_run(ROWS, "estimate", "mean")["estimate"].tolist() == [0.375, 0.125]


def test_a_row_that_is_missing_is_an_error():
    with pytest.raises(ValueError, match=r"^b: found 1 values of estimate, allowed: 2, none missing$"):
        replicates.of_each_run(ROWS.iloc[:3], "estimate", "sum", parts=2)


@pytest.mark.parametrize("how", ["sum", "mean"])
def test_a_value_that_is_missing_is_an_error(how):
    rows = ROWS.assign(estimate=[0.25, np.nan, 0.125, 0.125])
    with pytest.raises(ValueError, match=r"^a: found 1 values of estimate, allowed: 2, none missing$"):
        replicates.of_each_run(rows, "estimate", how)
