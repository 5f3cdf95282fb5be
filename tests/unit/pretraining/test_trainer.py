"""One process: what a run reports and keeps, and that a killed one goes on bit for bit."""

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch
from nursery import make_world
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from echochamber.data.tokenizer import load_tokenizer
from echochamber.errors import UserError
from echochamber.models import checkpoint, weights
from echochamber.models.learning_rate import warmup_cosine
from echochamber.models.parallel import Processes
from echochamber.models.weights import Checkpoints
from echochamber.pretraining import trainer
from echochamber.settings import Pretraining, Scale

SCALE = Scale(width=16, layers=1, heads=2, intermediate=32)
SETTINGS = {"sequence_length": 32, "batch_rows": 4, "packing": "document", "precision": "fp32", "warmup_steps": 3}
SETTINGS |= {"learning_rate": 1e-2, "log_every": 5, "held_out_every": 20, "held_out_documents": 6, "checkpoints": [10]}
ALONE = Processes(torch.device("cpu"))
SCRIPT = Path(__file__).parents[3] / "workflow_scripts/pretrain.py"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two tiny sources on disk: their mixture and the tokenizer."""
    folder = tmp_path_factory.mktemp("world")
    make_world(folder, passes=1)
    return folder, json.loads((folder / "mixture.json").read_text()), load_tokenizer(folder / "tokenizer")


def spec(folder: Path) -> dict:
    settings = Pretraining(**SETTINGS).model_dump(mode="json")
    paths = {"mixture": str(folder / "mixture.json"), "tokenizer": str(folder / "tokenizer")}
    return {"scale": SCALE.model_dump(), "settings": settings, "seed": 0, "stream": "x", "version": 1} | paths


def command(folder: Path, out: Path) -> list[str]:
    return [sys.executable, str(SCRIPT), "--spec", json.dumps(spec(folder)), "--out", str(out), "--log", f"{out}.log"]


ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "ECHO_DEVICE": "cpu"}


@pytest.fixture(scope="module")
def undisturbed(world, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "model"
    subprocess.run(command(world[0], out), env=ENVIRONMENT, check=True, timeout=120)
    return out


def test_schedule_by_hand():
    factors = [warmup_cosine(step, 8, warmup=3, final=0.1) for step in range(8)]
    assert factors[:4] == pytest.approx([1 / 3, 2 / 3, 1.0, 1.0])
    assert factors[5] == pytest.approx(0.1 + 0.9 * 0.5)  # half way between updates 3 and 7
    assert factors[7] == pytest.approx(0.1)


def test_it_learns_and_reports_each_source(undisturbed):
    metrics = pd.read_csv(undisturbed / "metrics.csv")
    assert metrics["step"].is_monotonic_increasing
    assert metrics["loss"].iloc[-1] < 0.7 * metrics["loss"].iloc[0]
    assert {"loss_sums", "loss_words", "tokens", "learning_rate", "gradient_norm"} <= set(metrics.columns)
    assert (metrics[["loss_sums", "loss_words"]].iloc[-1] < math.log(300)).all()  # a uniform guess
    assert set(pd.read_csv(undisturbed / "timings.csv").columns) >= {
        "seconds_update",
        "tokens_per_second",
        "peak_bytes",
    }
    provenance = json.loads((undisturbed / "provenance.json").read_text())
    assert (provenance["seed"], provenance["device"]) == (0, "cpu")


def test_kept_checkpoints_are_ordinary_hugging_face_folders(undisturbed, world):
    steps = [step for step, _ in weights.checkpoints(Checkpoints(checkpoints=str(undisturbed / "checkpoints")))]
    last = pd.read_csv(undisturbed / "metrics.csv")["step"].iloc[-1]
    assert steps == [10, last]
    folder = weights.folder(Checkpoints(checkpoints=str(undisturbed / "checkpoints"), steps=("last",)))
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert type(model).__name__ == "OlmoForCausalLM"
    assert (model.config.eos_token_id, model.config.pad_token_id) == (2, 1)
    text = "12 + 12 = 24"
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False).input_ids) == text
    assert len(tokenizer) == len(world[2])


def test_killed_at_any_moment_it_goes_on_bit_for_bit(world, undisturbed, tmp_path):
    """SIGKILL at seeded random moments, one of them inside the write of a state; then the same command."""
    out, rng, kills = tmp_path / "model", random.Random(0), 0
    environment = ENVIRONMENT | {"ECHO_SECONDS_BETWEEN_SAVES": "0"}
    state = Path(f"{out}.state")
    for kill in range(6):
        process = subprocess.Popen(command(world[0], out), env=environment, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while process.poll() is None and not (state / ("next.part" if kill == 0 else "latest")).exists():
            assert time.monotonic() < end
        if kill:
            time.sleep(rng.random() * 0.3)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
    assert kills >= 5
    subprocess.run(command(world[0], out), env=environment, check=True, timeout=120)
    assert (out / "metrics.csv").read_bytes() == (undisturbed / "metrics.csv").read_bytes()
    for folder in (undisturbed / "checkpoints").iterdir():
        expected, found = (
            load_file(root / folder.name / "model.safetensors") for root in (folder.parent, out / "checkpoints")
        )
        assert expected.keys() == found.keys()
        assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_sigterm_saves_and_exits_with_75(world, undisturbed, tmp_path):
    out = tmp_path / "model"
    process = subprocess.Popen(command(world[0], out), env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not Path(f"{out}.state/spec.json").exists():
        assert time.monotonic() < end
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 75
    assert not (out / "metrics.csv").exists()
    subprocess.run(command(world[0], out), env=ENVIRONMENT, check=True, timeout=120)
    assert (out / "metrics.csv").read_bytes() == (undisturbed / "metrics.csv").read_bytes()


def test_a_checkpoint_beyond_the_mixture_is_refused(world, tmp_path):
    settings = Pretraining(**SETTINGS | {"checkpoints": [10**6]})
    state = checkpoint.TrainingState(tmp_path, {})
    with pytest.raises(UserError, match=r"pretraining\.checkpoints: found 1000000, allowed: up to the last step \d+"):
        trainer.train(settings, SCALE, world[1], world[2], seed=0, state=state, stop=lambda: False, processes=ALONE)


def test_a_warm_up_that_does_not_end_is_refused(world, tmp_path):
    settings = Pretraining(**SETTINGS | {"warmup_steps": 10**6})
    state = checkpoint.TrainingState(tmp_path, {})
    with pytest.raises(UserError, match=r"pretraining\.warmup_steps: found 1000000, allowed: up to the \d+ steps"):
        trainer.train(settings, SCALE, world[1], world[2], seed=0, state=state, stop=lambda: False, processes=ALONE)


def test_a_loss_that_is_not_finite_stops_the_run(world, tmp_path):
    """The step at which it happened is named, however seldom the loss is looked at, and nothing is saved after it."""
    found = set()
    for log_every in (1, 10):
        changes = {"learning_rate": 1e30, "gradient_clip": 1e30, "log_every": log_every, "checkpoints": []}
        settings = Pretraining(**SETTINGS | changes)
        state = checkpoint.TrainingState(tmp_path / str(log_every), {})
        with pytest.raises(
            UserError, match=r"the loss is (nan|inf); the last state that was saved is step 0"
        ) as caught:
            trainer.train(settings, SCALE, world[1], world[2], seed=0, state=state, stop=lambda: False, processes=ALONE)
        found.add(str(caught.value).split(":")[0])
        assert state.load() is None
    assert len(found) == 1
    assert int(found.pop().removeprefix("step ")) < 10


@pytest.mark.parametrize("packing", ["document", "concatenate"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("tied", [False, True])
def test_every_setting_runs(world, tmp_path, packing, precision, tied):
    settings = Pretraining(**SETTINGS | {"packing": packing, "precision": precision})
    scale = Scale(**SCALE.model_dump() | {"tied": tied})
    state = checkpoint.TrainingState(tmp_path, {})
    metrics, _ = trainer.train(
        settings, scale, world[1], world[2], seed=0, state=state, stop=lambda: False, processes=ALONE
    )
    assert metrics[-1]["loss"] < metrics[0]["loss"]


def test_compiling_is_in_no_rate_and_changes_no_number(world, tmp_path, monkeypatch):
    """The first micro-batch passes once before the first step; what is trained afterwards is what it was."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    settings = Pretraining(**SETTINGS | {"checkpoints": []})
    scale = Scale(**SCALE.model_dump() | {"compile": True})
    ahead, passes, real = trainer.compile_ahead, [], trainer.update

    def timed_pass(*args):
        passes.append(args[3])
        time.sleep(2.0)
        ahead(*args)

    def train(folder):
        state = checkpoint.TrainingState(tmp_path / folder, {})
        common = {"seed": 0, "state": state, "stop": lambda: False, "processes": ALONE}
        return trainer.train(settings, scale, world[1], world[2], **common)

    monkeypatch.setattr(trainer, "compile_ahead", lambda *args: None)
    plain, _ = train("plain")
    monkeypatch.setattr(trainer, "compile_ahead", timed_pass)
    monkeypatch.setattr(trainer, "update", lambda *args: passes.append("update") or real(*args))
    metrics, timings = train("ahead")
    assert metrics == plain
    assert passes[0] == settings
    assert passes[1] == "update"
    assert passes.count("update") == len(passes) - 1
    assert timings[0]["seconds_update"] < 2.0
