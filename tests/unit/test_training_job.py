"""A finished job publishes again without training; what its verifier counted outlives a stop."""

import json

import pandas as pd
import torch

from echochamber import files
from echochamber.checkpoint import TrainingState
from echochamber.job import Job
from echochamber.training_job import run
from echochamber.verify import counters, restore_counters, verify


def test_a_finished_job_publishes_again_without_training(tmp_path):
    calls = []

    def train(state: TrainingState):
        calls.append(1)
        (state.folder / "checkpoints/step_00000001").mkdir(parents=True)
        return [{"step": 1, "loss": 0.5}], [{"step": 1, "seconds_update": 2.0}]

    for _ in range(2):
        out = tmp_path / "out"
        job = Job("posttrain", {"seed": 3}, out, tmp_path / "state", stop=lambda: False)
        run(job, torch.device("cpu"), train, report=lambda: {"verifier": {"status_timeout": 2}})
        assert pd.read_csv(out / "metrics.csv").to_dict("records") == [{"step": 1, "loss": 0.5}]
        provenance = json.loads((out / "provenance.json").read_text())
        assert (provenance["seed"], provenance["verifier"]) == (3, {"status_timeout": 2})
        assert (out / "checkpoints/step_00000001").is_dir()
        files.remove(out)
    assert len(calls) == 1


def test_counts_come_back_with_the_state(tmp_path):
    restore_counters({})
    verify("The answer is 4", 4)
    state = TrainingState(tmp_path, {})
    state.save({"verifier": counters()})
    verify("The answer is 5", 4)
    restore_counters(state.load()["verifier"])
    assert counters()["verdicts"] == 1
