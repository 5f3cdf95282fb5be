"""Results and progress of jobs in a few words, from the files that jobs leave."""

from __future__ import annotations

import fabricated
import pytest

from echochamber.grid import said
from echochamber.jobs.console import HowFar
from echochamber.jobs.files import write_json

STUDY = {
    "mixtures": ["tg"],
    "algorithms": ["grpo"],
    "prompts": ["synth-gsm"],
    "benchmarks": ["synth-gsm"],
}
RUN = "tg/nano/seed0/grpo/synth-gsm/seed0"


@pytest.fixture
def grid(tmp_path):
    return fabricated.grid(tmp_path, one=STUDY)


def write(grid, job, text: str) -> None:
    folder = grid.paths.job(job)
    folder.mkdir(parents=True)
    (folder / "metrics.csv").write_text(text)


def test_results(grid):
    shares = "share_tinygsm,share_omi1,share_omi2,share_text,share_other"
    write(grid, grid.runs[RUN], f"step,reward_mean,{shares}\n1,0.2,1,0,0,0,0\n2,0.4567,0.1,0,0.9,0,0\n")
    write(grid, grid.models["tg/nano/seed0"], "step,loss\n1,3\n2,1.25\n")
    assert said.result(grid, "posttrain", {"run": RUN}) == "reward 0.457, mostly omi2"
    assert said.result(grid, "pretrain", {"mixture": "tg", "scale": "nano", "seed": "0"}) == "loss 1.250"
    assert said.result(grid, "write_report", {}) == str(grid.paths.root / "report.html")
    assert said.result(grid, "measure", {"id": RUN}) == ""


def test_how_far(grid):
    assert said.how_far(grid, "posttrain", {"run": RUN}) is None
    write_json(grid.paths.state(RUN) / "progress.json", {"done": 5, "total": 20, "unit": "step", "per_second": 0.5})
    assert said.how_far(grid, "posttrain", {"run": RUN}) == HowFar(5, 20, 30.0)
    (grid.paths.state(RUN) / "progress.json").write_text('{"done": 5')
    assert said.how_far(grid, "posttrain", {"run": RUN}) is None
    assert said.how_far(grid, "figure", {}) is None
