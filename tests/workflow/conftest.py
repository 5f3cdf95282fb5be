"""Snakemake on a tiny grid, in a folder of its own."""

from pathlib import Path

import pytest
from workflow_grid import Grid

TINY = Path(__file__).with_name("tiny.yaml")


@pytest.fixture(scope="module")
def grid(tmp_path_factory) -> Grid:
    grid = Grid(tmp_path_factory.mktemp("grid"))
    grid.file.write_text(TINY.read_text(encoding="utf-8"), encoding="utf-8")
    return grid


@pytest.fixture(scope="module")
def done(grid):
    """The module's grid, run to its end."""
    ran = grid.snakemake()
    assert ran.returncode == 0, ran.stdout
    return ran
