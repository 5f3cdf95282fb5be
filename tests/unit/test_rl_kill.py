"""SIGKILL at any moment, then the same command: metrics and weights equal those of a run that nobody disturbed."""

import contextlib
import os
import random
import signal
import time

import pytest
import torch
from rl_nursery import ALGORITHMS, Nursery

pytestmark = pytest.mark.xdist_group("rl_kill")  # one nursery for all

KILLS = 5


@pytest.fixture(scope="module")
def nursery():
    with Nursery() as nursery:
        yield nursery


@pytest.fixture(scope="module")
def undisturbed(nursery, tmp_path_factory):
    """Per algorithm: what a run without interruption gives, and the seconds that it takes."""
    results = {}
    for algorithm in ALGORITHMS:
        folder = tmp_path_factory.mktemp(algorithm)
        started = time.monotonic()
        assert nursery.run(algorithm, folder) == 0
        results[algorithm] = torch.load(folder / "done.pt", weights_only=True), time.monotonic() - started, folder
    return results


def same(folder, other, result):
    found = torch.load(folder / "done.pt", weights_only=True)
    assert found["metrics"] == result["metrics"]
    assert found["weights"].keys() == result["weights"].keys()
    assert all(torch.equal(found["weights"][name], result["weights"][name]) for name in result["weights"])
    kept = sorted(path.name for path in (other / "checkpoints").iterdir())
    assert sorted(path.name for path in (folder / "checkpoints").glob("step_*")) == kept
    for name in kept:
        weights = (folder / "checkpoints" / name / "model.safetensors").read_bytes()
        assert weights == (other / "checkpoints" / name / "model.safetensors").read_bytes()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_killed_at_random_moments(nursery, undisturbed, tmp_path, algorithm):
    result, seconds, folder = undisturbed[algorithm]
    draw = random.Random(f"kills of {algorithm}")
    killed = attempts = 0
    while killed < KILLS:
        here = tmp_path / str(attempts)  # a run that was faster than its kills has ended well; then another one
        child = nursery.start(algorithm, here)
        time.sleep(draw.uniform(0.02, 0.3) * seconds)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        status = nursery.wait()
        assert status in (0, -signal.SIGKILL)
        killed += status != 0
        if status == 0:
            same(here, folder, result)
            attempts += 1
    assert nursery.run(algorithm, here) == 0
    same(here, folder, result)


@pytest.mark.parametrize("at", ["half", "rotated"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_killed_inside_a_checkpoint_write(nursery, undisturbed, tmp_path, algorithm, at):
    result, _, folder = undisturbed[algorithm]
    assert nursery.run(algorithm, tmp_path, {"save": 3, "at": at}) == -signal.SIGKILL
    assert not (tmp_path / "done.pt").exists()
    assert (tmp_path / "previous").exists()
    assert (tmp_path / "latest").exists() == (at == "half")
    assert nursery.run(algorithm, tmp_path) == 0
    same(tmp_path, folder, result)


def test_a_truncated_state_is_passed_over(nursery, undisturbed, tmp_path):
    result, _, folder = undisturbed["grpo"]
    assert nursery.run("grpo", tmp_path, {"save": 4, "at": "half"}) == -signal.SIGKILL
    file = tmp_path / "latest/state.pt"
    os.truncate(file, file.stat().st_size // 2)
    assert nursery.run("grpo", tmp_path) == 0
    same(tmp_path, folder, result)
