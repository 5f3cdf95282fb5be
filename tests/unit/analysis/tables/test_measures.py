"""Files of measures and what is joined from them, without Snakemake."""

from __future__ import annotations

import subprocess
import sys

import fabricated
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from echochamber.analysis.tables import gains, measure, table_files, tables
from echochamber.stats.columns import Column, Table
from echochamber.stats.intervals import crossed_interval

STUDY = {"mixtures": ["tg+omi1+omi2"], "model_seeds": [0, 1], "algorithms": ["grpo"], "prompts": ["synth-gsm"]}
RUN = "tg+omi1+omi2/nano/seed1/grpo/synth-gsm/seed0"
KINDS = Table(
    "kinds",
    "one of each kind of column",
    (
        Column("word", "text", "?"),
        Column("whole", "integer", "?"),
        Column("count", "count", "?"),
        Column("real", "number", "?"),
        Column("flag", "boolean", "?"),
        Column("list", "numbers", "?"),
    ),
)
ROWS = pd.DataFrame(
    {
        "word": ["", None, "NA", "a\r\x00\u2028b"],
        "whole": [3, None, 0, 2**53 + 1],
        "count": [1, 2, 3, 4],
        "real": [0.1, None, float("inf"), -0.0],
        "flag": [True, None, False, True],
        "list": [[0.1, 0.2], [], [1.0], [float("nan")]],
    }
).astype({"whole": "Int64"})


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    grid = fabricated.grid(tmp_path_factory.mktemp("results"), one=STUDY)
    fabricated.fabricate(grid, questions=12, steps=(1, 4))
    for (id, benchmark), job in grid.evaluations.items():
        path = grid.paths.measures(id, benchmark)
        table_files.write_measures(path, measure.OF_RUNS, measure.measure(grid.measure_spec(job, benchmark)))
    return grid


def values(rows: pd.DataFrame) -> list[list]:
    """Row by row, what is missing as None."""

    def plain(value: object) -> object:
        if isinstance(value, list | np.ndarray):
            return [float(item) for item in value]
        return None if pd.isna(value) else value.item() if isinstance(value, np.generic) else value

    return [[plain(value) for value in row] for row in rows.astype(object).itertuples(index=False, name=None)]


def test_every_kind_of_column_comes_back_as_it_was(tmp_path):
    table_files.write_measures(tmp_path / "m.parquet", {"kinds": KINDS}, {"kinds": ROWS})
    again = table_files.read_measures(tmp_path / "m.parquet", {"kinds": KINDS})["kinds"]
    assert repr(values(again)) == repr(values(ROWS))  # 0.0 is not -0.0, and NaN is NaN
    table_files.write_measures(tmp_path / "n.parquet", {"kinds": KINDS}, {"kinds": ROWS.iloc[:0]})
    assert table_files.read_measures(tmp_path / "n.parquet", {"kinds": KINDS})["kinds"].empty


def test_a_file_with_other_columns_than_declared_is_refused(tmp_path):
    table_files.write_measures(tmp_path / "m.parquet", {"kinds": KINDS}, {"kinds": ROWS})
    fewer = Table("kinds", "?", KINDS.columns[:-1])
    with pytest.raises(ValueError, match=r"m.parquet: kinds: found columns with none missing, list unknown"):
        table_files.read_measures(tmp_path / "m.parquet", {"kinds": fewer})


def test_a_run_has_rows_of_all_tables_and_a_model_of_two(grid):
    of_run = grid.paths.measures(RUN, "synth-gsm")
    assert set(pq.read_schema(of_run).names) == set(measure.OF_RUNS)
    assert set(pq.read_schema(grid.paths.measures("tg+omi1+omi2/nano/seed1", "synth-gsm")).names) == {
        "scores",
        "scorers",
    }
    (scores,) = table_files.read_measures(of_run, {"scores": measure.SCORES}).values()
    assert set(scores["id"]) == {RUN}
    assert set(scores["step"]) == {0, 1, 4}


@pytest.mark.parametrize("people", [True, False])
def test_tables_joined_from_files_are_those_made_in_one_go(grid, tmp_path, people):
    tables.join_files(grid, tmp_path, people=people)
    assert {path.suffix for path in tmp_path.iterdir()} == ({".csv", ".parquet"} if people else {".parquet"})
    joined, built = tables.read(tmp_path), tables.build(grid)
    assert set(joined) == set(built)
    for name, rows in built.items():
        assert values(joined[name]) == values(rows), name


def test_the_interval_of_a_setting_is_that_of_the_differences_that_were_kept(grid):
    single = pd.concat(
        table_files.read_measures(grid.paths.measures(id, "synth-gsm"), {"gains": gains.OF_QUESTIONS})["gains"]
        for id in grid.runs
    )
    pooled = gains.with_settings(single)
    row = pooled[pooled["id"].isna() & (pooled["scorer"] == "executed") & (pooled["metric"] == "pass_at_k")].iloc[0]
    kept = single[(single["scorer"] == "executed") & (single["metric"] == "pass_at_k")]["difference"]
    assert tuple(row[["estimate", "low", "high"]]) == pytest.approx(tuple(crossed_interval(np.stack(list(kept)))))
    assert row["n_seeds"] == 2


def test_what_is_not_measured_is_named(grid, tmp_path):
    path = grid.paths.measures(RUN, "synth-gsm")
    path.rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError, match=r"synth-gsm.parquet: found nothing, allowed: what .*seed1/grpo"):
        tables.join_files(grid, tmp_path / "out", people=False)
    (tmp_path / "away").rename(path)
    assert not list((tmp_path / "out").iterdir())


def test_measuring_imports_no_torch_and_no_claims():
    code = (
        "import sys, echochamber.analysis.tables.measure; "
        "sys.exit(bool({'torch', 'echochamber.analysis.claims', 'snakemake'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
