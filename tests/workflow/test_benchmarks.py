"""The benchmarks of a GPU run, with toys, on any machine: what is only run on rare days must not rot between them."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DAY = [sys.executable, "benchmarks/gpu_day.py", "--tiny", "--out"]


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    out = tmp_path_factory.mktemp("day")
    done = subprocess.run([*DAY, out], cwd=ROOT, capture_output=True, text=True)
    logs = {path.stem: path.read_text(errors="replace")[-2000:] for path in out.glob("*.log")}
    assert done.returncode == 0, (done.stdout, logs)
    return out


def test_every_step_gives_its_figures(day):
    record = json.loads((day / "gpu-day.json").read_text())
    assert record["tiny"]
    assert {"torch", "transformers"} <= set(record["versions"])
    steps = {step["step"]: step for step in record["steps"]}
    assert {step["said"] for step in steps.values()} == {"done"}
    assert steps["rl"]["result"]["decoding"]["recorded_equals_unrecorded"]
    assert {"grpo", "ppo"} == set(steps["rl"]["result"]["rl_step"])
    assert steps["pretrain-150m"]["result"]["ratio"] > 0
    assert steps["pretrain-1b"]["result"]["tokens_per_second"]["echochamber"] > 0
    assert steps["rl-trl"]["result"]["ratio"] > 0
    table = (day / "gpu-day.md").read_text()
    assert "toys: no measurement" in table
    for words in ("sampling, tokens/s", "GRPO step, s", "pretraining 150m, tokens/s", "times TRL"):
        assert words in table


@pytest.mark.parametrize(
    "command",
    [
        "generate.py --fresh toy --prompts 8 --rounds 1 --max-new-tokens 16",
        "stacked_seeds.py --fresh toy --seeds 2 --rows 2 --tokens 16",
        "tokens.py --documents 500 --vocabulary 600 --rounds 1",
        "verify.py --seconds 0.2",
    ],
    ids=lambda command: command.split(".")[0],
)
def test_a_benchmark_of_one_part_runs_and_gives_its_ratio(command):
    script, *arguments = command.split()
    done = subprocess.run(
        [sys.executable, f"benchmarks/{script}", *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout.splitlines()[-1])
    ratios = [value for name, value in result.items() if "ratio" in name]
    assert ratios
    assert all(value > 0 for value in ratios)


def test_the_synthetic_grid_of_the_tables_benchmark_is_one_that_its_jobs_take(tmp_path, monkeypatch):
    """One of its eighteen jobs: all of them take a minute."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    spec = importlib.util.spec_from_file_location("tables_benchmark", ROOT / "benchmarks/tables.py")
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    grid = tables.grid_of(tmp_path, 11, 200, 20)
    assert tables.fabricate(grid, 200, 20) == 10 * 200 + 40
    (id, benchmark), job = next(iter(grid.evaluations.items()))
    seconds, megabytes = tables.run(
        "measure_evaluation", grid.measure_spec(job, benchmark), grid.paths.measures(id, benchmark).parent
    )
    assert seconds > 0
    assert megabytes < tables.LIMIT_MB


def test_a_step_without_time_is_left_out_and_said_to_be(tmp_path):
    done = subprocess.run(
        [*DAY, tmp_path, "--minutes", "0.1", "--only", "rl"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "rl: left out: no time" in done.stdout


def test_unknown_steps_are_refused(tmp_path):
    done = subprocess.run([*DAY, tmp_path, "--only", "everything"], cwd=ROOT, capture_output=True, text=True)
    assert "--only: found everything, allowed: rl, pretrain-150m" in done.stderr
