"""Jobs that share a GPU: what Snakemake tells them, and what it asks for."""

import re

import pytest
from workflow_grid import pretend_gpus


@pytest.fixture
def shared(grid):
    """The tiny grid, planned for an H100 of which each job takes a quarter."""
    text = grid.file.read_text(encoding="utf-8").replace("femto: {width", "femto: {gpu_share: 0.25, width")
    grid.file.write_text(text, encoding="utf-8")
    return grid


def test_jobs_that_share_a_gpu_are_counted_by_hundredths(shared, tmp_path):
    environment = pretend_gpus(tmp_path, 1)
    told = shared.snakemake("--nocolor", "-n", "-p", environment=environment).stdout
    commands = re.findall(r"ECHO_GPU_PERCENT=(\d+) job (?:launch --gpus (\d) --nodes 1 )?(\w+)", told)
    assert {(part, name) for part, _, name in commands} == {
        ("25", name) for name in ("pretrain", "posttrain", "evaluate_checkpoints")
    }
    assert {gpus for _, gpus, name in commands if name == "pretrain"} == {"0"}  # one process
