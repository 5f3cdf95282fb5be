"""Thousands of grid files, valid and broken: planned, or refused in lines that name the file, never a traceback.

`ECHO_GRID_FILES` is how many are built (2,400 without it).
"""

import os
from functools import cache
from pathlib import Path

import grid_files
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from echochamber.corpora import synthetic
from echochamber.grid import parsing
from echochamber.jobs.spec import parse
from echochamber.planning.plan import plan, readable

COUNT = int(os.environ.get("ECHO_GRID_FILES", "2400"))
GIVEN = {"deadline": None, "database": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}
LOADED: list[bool] = []


@pytest.fixture(scope="module", autouse=True)
def made_once():
    """Equal synthetic questions, of which a plan makes a few to see how long they are, are made once."""
    made = synthetic.questions
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "questions", cache(made))
        yield


def load_and_plan(path: Path) -> bool:
    """Whether the file holds a grid; then it has been planned, and the specs of its jobs read back."""
    try:
        grid = parsing.load(path, path.parent / "results")
    except parsing.GridError as error:
        lines = str(error).splitlines()
        assert lines
        assert all(line.startswith(f"{path}") for line in lines), lines
        assert all(line.isprintable() and len(line) < 2000 for line in lines), lines
        return False
    assert readable(grid, plan(grid))
    specs = [grid.grid_spec("tables"), grid.tokenizer_spec()]
    specs += [grid.shard_spec(source, 0) for source in grid.corpora]
    specs += [grid.pretrain_spec(model) for model in grid.trained_models.values()]
    specs += [grid.posttrain_spec(run) for run in grid.runs.values()]
    specs += [grid.evaluate_spec(job, benchmark) for (_, benchmark), job in grid.evaluations.items()]
    for spec in specs:
        assert parse(type(spec), spec.text()) == spec
    return True


@settings(max_examples=COUNT, **GIVEN)
@given(config=grid_files.mistaken())
def test_a_grid_file_is_planned_or_refused(tmp_path_factory, config):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(yaml.dump(config, Dumper=yaml.CSafeDumper, allow_unicode=False), encoding="utf-8")
    LOADED.append(load_and_plan(path))


def test_both_kinds_occur():
    """Else the test before this one would say nothing of grids, or nothing of mistakes."""
    assert len(LOADED) >= COUNT
    assert 0.1 < sum(LOADED) / len(LOADED) < 0.9


@settings(max_examples=200, **GIVEN)
@given(
    data=st.binary(max_size=200)
    | st.text(alphabet="ab:{}[]-&*!|>'\"\n\t #%@`,?\0\ufeff\u2028", max_size=60).map(str.encode)
)
def test_any_bytes_are_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "bytes.yaml"
    path.write_bytes(data)
    assert not load_and_plan(path)
