"""A table is what its declaration says, when it is written and when it is read."""

import pandas as pd
import pytest

from echochamber.stats.columns import Column, Table

TABLE = Table(
    "rows",
    "a row",
    (
        Column("id", "text", "name"),
        Column("k", "integer", "may be empty"),
        Column("n", "count", "never is"),
        Column("estimate", "number", "a share"),
    ),
)
ROWS = [("NA", 3, 1, 0.1), (None, None, 2, float("nan"))]


def test_a_table_comes_back_as_it_was_written(tmp_path):
    written = TABLE.typed(pd.DataFrame(ROWS, columns=list(TABLE)))
    written.to_csv(tmp_path / "rows.csv", index=False)
    assert (tmp_path / "rows.csv").read_text() == "id,k,n,estimate\nNA,3,1,0.1\n,,2,\n"
    again = TABLE.read(tmp_path / "rows.csv")
    assert again.equals(written)
    assert [str(kind) for kind in again.dtypes] == ["str", "Int64", "int64", "float64"]


@pytest.mark.parametrize(
    ("columns", "missing", "unknown"),
    [
        (["id", "k", "estimate"], "n", "none"),
        (["id", "k", "n", "estimate", "more"], "none", "more"),
        (["k", "id", "n", "estimate"], "none", "none"),
    ],
)
def test_other_columns_are_refused(tmp_path, columns, missing, unknown):
    frame = pd.DataFrame([range(len(columns))], columns=columns)
    line = f"found columns with {missing} missing, {unknown} unknown, allowed: id, k, n, estimate, in this order"
    with pytest.raises(ValueError, match=line):
        TABLE.typed(frame)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    with pytest.raises(ValueError, match=f"rows.csv: {line}"):
        TABLE.read(tmp_path / "rows.csv")


def test_a_table_that_extends_takes_more_columns_behind_its_own_only():
    table = Table("rows", "a row", TABLE.columns[:1], extends=True)
    table.check(["id", "more"], "here")
    with pytest.raises(ValueError, match="here: found columns with none missing"):
        table.check(["more", "id"], "here")
