"""Trackers: what a job is called there, nothing twice, nothing that ends a job; and the three libraries for real."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from echochamber.jobs import trackers
from echochamber.jobs.trackers import Tracker, axes, numbers

ROOT = Path(__file__).parents[3]
LIBRARIES = ROOT / "build/trackers"
RUN = "results/demo/runs/tg+omi1/nano/seed3/grpo/asked/seed0"


def job(folder: Path, out: str = RUN, spec: dict | None = None):
    said = SimpleNamespace(canonical=lambda: spec or {"version": 1, "settings": {"passes": 3}})
    return SimpleNamespace(out=folder / out, state=folder / "state", stage="posttrain", spec=said)


def rows(count: int) -> list[dict]:
    return [{"step": step, "reward_mean": step / 10, "kl": None, "warning": "x"} for step in range(1, count + 1)]


def test_the_axes_of_a_run_of_an_imported_model_and_of_a_base_model():
    assert axes(Path(RUN)) == {
        "base": "tg+omi1/nano/seed3",
        "mixture": "tg+omi1",
        "scale": "nano",
        "model_seed": "3",
        "algorithm": "grpo",
        "prompts": "asked",
        "seed": "0",
    }
    assert axes(Path("runs/theirs/ppo/asked/seed1"))["base"] == "theirs"
    assert axes(Path("models/tg/pico/seed0")) == {
        "base": "tg/pico/seed0",
        "mixture": "tg",
        "scale": "pico",
        "model_seed": "0",
    }


def test_the_same_job_has_the_same_id_and_other_settings_another(tmp_path):
    results = tmp_path / "results/demo"
    first, again = (trackers.run_of(job(tmp_path), results) for _ in range(2))
    other = trackers.run_of(job(tmp_path, spec={"version": 2}), results)
    assert (first.project, first.name) == ("demo", "runs/tg+omi1/nano/seed3/grpo/asked/seed0")
    assert first.id == again.id != other.id
    assert first.config["algorithm"] == "grpo"


def test_numbers_alone_are_shown():
    row = {"step": 4, "loss": 1.5, "empty": None, "nan": float("nan"), "warning": "moved", "count": 3}
    assert numbers(row) == {"loss": 1.5, "count": 3.0}


def followed(monkeypatch, tmp_path, *parts: int, fails_at: int | None = None) -> list[int]:
    """The steps that a tracker is shown by so many attempts at one job, each with so many rows at its end."""
    seen: list[int] = []

    def write(step: int, values: dict) -> None:
        if step == fails_at:
            raise RuntimeError("no room\nleft")
        seen.append(step)

    monkeypatch.setitem(trackers.BEGIN, "tensorboard", lambda run, folder: Tracker(write, lambda: None))
    monkeypatch.setenv(trackers.NAMES, "tensorboard")
    monkeypatch.setenv(trackers.FOLDER, str(tmp_path / "results/demo/trackers"))
    for count in parts:
        with trackers.following(job(tmp_path)) as follow:
            for upto in range(1, count + 1):
                follow(rows(upto))
    return seen


def test_no_row_is_shown_twice_whatever_an_attempt_repeats(monkeypatch, tmp_path):
    assert followed(monkeypatch, tmp_path, 3, 2, 5) == [1, 2, 3, 4, 5]
    assert json.loads((tmp_path / "state" / trackers.LOGGED).read_text()) == {"tensorboard": 5}


def test_a_tracker_that_fails_is_a_warning_and_off(monkeypatch, tmp_path, caplog):
    assert followed(monkeypatch, tmp_path, 5, fails_at=3) == [1, 2]
    assert [r.getMessage() for r in caplog.records] == [
        "tracker tensorboard is off for the rest of this job: RuntimeError: no room left"
    ]


def test_one_that_does_not_begin_is_a_warning(monkeypatch, tmp_path, caplog):
    def broken(run, folder):
        raise OSError("no network")

    monkeypatch.setitem(trackers.BEGIN, "wandb", broken)
    monkeypatch.setenv(trackers.NAMES, "wandb")
    monkeypatch.setenv(trackers.FOLDER, str(tmp_path / "trackers"))
    with trackers.following(job(tmp_path)) as follow:
        follow(rows(2))
    assert "tracker wandb is off" in caplog.text


def test_without_trackers_nothing_is_written(monkeypatch, tmp_path):
    monkeypatch.delenv(trackers.NAMES, raising=False)
    with trackers.following(job(tmp_path)) as follow:
        follow(rows(2))
    assert not (tmp_path / "state").exists()


def test_a_library_that_is_not_there_is_one_line(monkeypatch):
    monkeypatch.setattr(trackers.importlib.util, "find_spec", lambda name: None)
    (line,) = trackers.missing(["wandb"])
    assert line.startswith("trackers: found wandb, which is not installed, allowed:")


SCRIPT = f"""
import sys
from pathlib import Path
sys.path[:0] = [{str(ROOT)!r}, {str(Path(__file__).parent)!r}, {str(LIBRARIES)!r}]
from test_trackers import job, rows
from echochamber.jobs import trackers
here = Path(sys.argv[1])
with trackers.following(job(here)) as follow:
    follow(rows(int(sys.argv[2])))
"""


@pytest.fixture
def really(tmp_path):
    """Follow a job with a real library, in two attempts: three rows, then five."""
    if not (LIBRARIES / ".ready").exists():
        pytest.skip("build/trackers is not there: make build/trackers/.ready")

    def follow(name: str) -> Path:
        environment = os.environ | {trackers.NAMES: name, trackers.FOLDER: str(tmp_path / "results/demo/trackers")}
        environment |= {"WANDB_MODE": "offline", "HF_HUB_OFFLINE": "1", "HOME": str(tmp_path)}
        for count in ("3", "5"):
            command = [sys.executable, "-c", SCRIPT, tmp_path, count]
            done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            assert "is off for the rest" not in done.stderr
        return tmp_path / "results/demo/trackers" / name

    return follow


def test_tensorboard_has_every_row_once(really):
    folder = really("tensorboard")
    read = f"""
import sys
sys.path.insert(0, {str(LIBRARIES)!r})
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1])
events.Reload()
print([(event.step, round(event.value, 3)) for event in events.Scalars("reward_mean")])
"""
    (run,) = {path.parent for path in folder.rglob("events.out.tfevents.*")}
    done = subprocess.run([sys.executable, "-c", read, run], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == str([(step, step / 10) for step in range(1, 6)])
    assert run.parent.relative_to(folder).as_posix() == RUN.removeprefix("results/demo/")


def test_trackio_has_one_run_with_every_row_once(really):
    folder = really("trackio")
    (database,) = folder.glob("*.db")
    with sqlite3.connect(database) as connection:
        found = connection.execute("select run_name, step, metrics from metrics order by step").fetchall()
    assert len({name for name, *_ in found}) == 1
    assert [step for _, step, _ in found] == [1, 2, 3, 4, 5]
    assert json.loads(found[4][2])["reward_mean"] == 0.5


def test_wandb_keeps_offline_runs_under_one_id(really):
    folder = really("wandb")
    runs = sorted(path.name for path in folder.glob("wandb/offline-run-*"))
    assert len(runs) == 2  # one an attempt, which `wandb sync` joins by their id
    assert len({name.rsplit("-", 1)[1] for name in runs}) == 1
