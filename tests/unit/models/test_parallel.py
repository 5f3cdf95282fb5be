"""One process and two give the same curve, whole or sharded; a run goes on with another number of them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
import torch
from nursery import make_world
from parallel_worker import run, settings_of
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from echochamber.errors import UserError
from echochamber.grid.specs import PretrainSpec
from echochamber.models import weights
from echochamber.models.checkpoint import TrainingState
from echochamber.models.parallel import Processes
from echochamber.models.weights import Checkpoints

ALONE = Processes(torch.device("cpu"))
ROOT = Path(__file__).parents[3]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "ECHO_DEVICE": "cpu", "PYTHONPATH": str(ROOT)}

TIED = {"tied": True}
STREAM = {"packing": "concatenate", "document_mask": True}
PLANS = {
    "two": {},
    "two accumulating": {"scale": {"micro_batch_rows": 1}},
    "sharded": {"scale": {"sharding": "fsdp2"}},
    "sharded accumulating": {"scale": {"micro_batch_rows": 1, "sharding": "fsdp2"}},
    "two tied": {"scale": TIED, "settings": STREAM},
    "sharded tied": {"scale": TIED | {"sharding": "fsdp2"}, "settings": STREAM},
    # Begun by two and gone on with by one, and the other way round: each in a state folder of its own.
    "two, then one": {"stop_at": 11},
    "sharded, then one": {"scale": {"sharding": "fsdp2"}, "stop_at": 11},
    "one, then two": {"state": "begun by one"},
    "one, then sharded": {"scale": {"sharding": "fsdp2"}, "state": "begun by one, too"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Everything that two processes have done."""
    folder = tmp_path_factory.mktemp("parallel")
    make_world(folder / "world", passes=1)
    for name in ("begun by one", "begun by one, too"):
        assert run(name, {"stop_at": 11}, folder, ALONE) is None
    (folder / "plan.json").write_text(json.dumps(PLANS))
    worker = ROOT / "tests/support/parallel_worker.py"
    subprocess.run([sys.executable, str(worker), str(folder)], env=ENVIRONMENT, check=True, timeout=200)
    return folder


@pytest.fixture(scope="module")
def one(folder):
    """What one process does: rows and last checkpoint, of the plain run and of the tied one on streams."""
    tied = {"scale": TIED, "settings": STREAM}
    return {name: (run(f"one {name}", plan, folder, ALONE), f"one {name}") for name, plan in (("", {}), ("tied", tied))}


def assert_same(folder, rows, state, one):
    """Up to the rounding of fp32, which training lets grow a little."""
    expected, other = one
    found, expected = pd.DataFrame(rows), pd.DataFrame(expected)
    assert list(found["step"]) == list(expected["step"])
    assert list(found["tokens"]) == list(expected["tokens"])
    pd.testing.assert_frame_equal(found, expected, rtol=1e-4, check_dtype=False)
    steps = sorted(path.name for path in (folder / other / "checkpoints").iterdir())
    assert steps == sorted(path.name for path in (folder / state / "checkpoints").iterdir())
    for step in steps:
        weights, wanted = (load_file(folder / of / "checkpoints" / step / "model.safetensors") for of in (state, other))
        assert weights.keys() == wanted.keys()
        for name, weight in weights.items():
            assert torch.allclose(weight, wanted[name], atol=2e-5), name


@pytest.mark.parametrize("name", [name for name in PLANS if "then" not in name])
def test_two_processes_give_the_curve_of_one(folder, one, name):
    rows = json.loads((folder / f"{name}.json").read_text())
    assert_same(folder, rows, name, one["tied" if "tied" in name else ""])


@pytest.mark.parametrize("name", ["two, then one", "sharded, then one"])
def test_a_run_of_two_stops_together_and_one_goes_on_with_it(folder, one, name):
    """Rank 1 alone was asked to stop: both did, at the same step, with everything saved."""
    assert json.loads((folder / f"{name}.json").read_text()) is None
    assert TrainingState(folder / name, {}).load()["step"] == 11
    rows = run(name, {}, folder, ALONE)
    assert_same(folder, rows, name, one[""])


@pytest.mark.parametrize("name", ["one, then two", "one, then sharded"])
def test_two_go_on_with_a_run_of_one(folder, one, name):
    rows = json.loads((folder / f"{name}.json").read_text())
    assert_same(folder, rows, PLANS[name]["state"], one[""])


def test_a_sharded_run_keeps_ordinary_hugging_face_folders(folder):
    for name, tied in (("sharded", False), ("sharded tied", True)):
        place = weights.folder(Checkpoints(checkpoints=str(folder / name / "checkpoints"), steps=("last",)))
        loaded, details = AutoModelForCausalLM.from_pretrained(place, output_loading_info=True)
        assert not details["missing_keys"]
        assert not details["unexpected_keys"]
        assert loaded.config.tie_word_embeddings == tied


def test_processes_that_do_not_divide_the_batch_are_refused(folder):
    with pytest.raises(UserError, match=r"batch_rows: found 4 for 3 processes, allowed: a multiple"):
        run("refused", {}, folder, Processes(torch.device("cpu"), rank=1, size=3))


@pytest.mark.parametrize(
    ("gpus", "line"),
    [
        ("4", "nodes: found 2 outside a Slurm job, allowed: 1 (docs/cluster.md)\n"),
        ("3", "gpus: found 3 on 2 nodes, allowed: a multiple of the nodes\n"),
        ("0", "gpus: found 0 on 2 nodes, allowed: a multiple of the nodes\n"),
    ],
)
def test_nodes_are_refused_outside_slurm_and_where_gpus_are_uneven(gpus, line):
    launch = [sys.executable, str(ROOT / "workflow_scripts/launch.py"), "--gpus", gpus, "--nodes", "2", "pretrain"]
    outside = {name: value for name, value in ENVIRONMENT.items() if name != "SLURM_JOB_ID"}
    done = subprocess.run(launch, env=outside, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, line)


def test_sigterm_to_one_process_of_torchrun_saves_and_exits_with_75_everywhere(tmp_path):
    settings, scale = settings_of({"settings": {"log_every": 1}})
    make_world(tmp_path / "world", passes=10)  # 288 steps, so that the signal comes before the end
    world = {"mixture": str(tmp_path / "world/mixture.json"), "tokenizer": str(tmp_path / "world/tokenizer")}
    spec = PretrainSpec(scale=scale, settings=settings, seed=0, stream="x", version=1, **world)
    rest = ["--spec", spec.text(), "--out", str(tmp_path / "out"), "--log", str(tmp_path / "log")]
    launch = [
        sys.executable,
        str(ROOT / "workflow_scripts/launch.py"),
        "--parent",
        str(os.getpid()),
        "--requeue",
        "--gpus",
        "2",
    ]
    job = subprocess.Popen([*launch, "pretrain", *rest], env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 100
    while not (tmp_path / "out.state/spec.json").exists():
        assert job.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    ranks = [p for p in psutil.Process(job.pid).children() if p.environ().get("RANK") == "1"]
    ranks[0].send_signal(signal.SIGTERM)
    _, errors = job.communicate(timeout=100)
    assert job.returncode == 75, errors
    assert "interrupted (step" in errors
    saved = TrainingState(tmp_path / "out.state", spec.canonical()).load()
    assert 0 < saved["step"] < 288
    done = subprocess.run(
        [*launch[:2], "pretrain", *rest], env=ENVIRONMENT, stderr=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(tmp_path / "out/metrics.csv")
    assert rows["step"].tolist() == list(range(1, 289))
    assert rows["loss"].tolist()[: saved["step"]] == [row["loss"] for row in saved["log"]["metrics"]]
