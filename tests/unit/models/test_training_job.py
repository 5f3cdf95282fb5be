"""A finished job publishes again without training; what its verifier counted outlives a stop."""

import json
from dataclasses import asdict, replace

import pandas as pd
import pytest
import torch

from echochamber.errors import Interrupted, UserError
from echochamber.jobs import attempts, files
from echochamber.jobs.job import Job
from echochamber.jobs.spec import Spec
from echochamber.models.checkpoint import TrainingState
from echochamber.models.parallel import Processes
from echochamber.models.training_job import run
from echochamber.verify import counters, restore_counters, verify

ALONE = Processes(torch.device("cpu"))


class Seeded(Spec):
    seed: int


def test_a_finished_job_publishes_again_without_training(tmp_path):
    calls = []

    def train(state: TrainingState):
        calls.append(1)
        (state.folder / "checkpoints/step_00000001").mkdir(parents=True)
        return [{"step": 1, "loss": 0.5}], [{"step": 1, "seconds_update": 2.0}]

    for _ in range(2):
        out = tmp_path / "out"
        job = Job("posttrain", Seeded(version=1, seed=3), out, tmp_path / "state", stop=lambda: False)
        run(job, ALONE, train, report=lambda: {"verifier": {"status_timeout": 2}})
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


def test_restarts_are_counted_apart_from_failures(tmp_path):
    ends = [Interrupted("step 1 of 9"), UserError("width:\n found 3"), Interrupted("step 5 of 9"), None]

    def train(state: TrainingState):
        end = ends.pop(0)
        if end:
            raise end
        (state.folder / "checkpoints/step_00000001").mkdir(parents=True)
        return [{"step": 1}], [{"step": 1}]

    job = Job("pretrain", Seeded(version=1, seed=3), tmp_path / "out", tmp_path / "state", stop=lambda: False)

    def call():
        run(job, ALONE, train)

    with pytest.raises(Interrupted):
        call()
    with pytest.raises(UserError):
        call()
    assert attempts.read(job.state).error == "width: found 3"
    with pytest.raises(Interrupted):
        call()
    # An attempt that SIGKILL ended has left its mark.
    found = attempts.read(job.state)
    assert not found.running
    files.write_json(job.state / "attempts.json", asdict(replace(found, running=True)))
    call()
    assert json.loads((job.out / "provenance.json").read_text())["attempts"] == {
        "interrupted": 2,
        "failed": 1,
        "killed": 1,
    }


def test_another_spec_starts_to_count_afresh(tmp_path):
    def train(state: TrainingState):
        raise Interrupted("step 1 of 9")

    for seed in (1, 2):
        with pytest.raises(Interrupted):
            run(
                Job("pretrain", Seeded(version=1, seed=seed), tmp_path / "out", tmp_path / "state", stop=lambda: False),
                ALONE,
                train,
            )
        assert attempts.read(tmp_path / "state").interrupted == 1
