"""Leases of GPUs, with real processes on pretend devices."""

import contextlib
import os
import random
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from echochamber.errors import UserError
from echochamber.jobs import gpus

CHILD = """
import os, sys, time
from pathlib import Path
from echochamber.jobs import gpus
out, count = Path(sys.argv[1]), int(sys.argv[2])
names = gpus.lease(count, seconds_between_tries=0.01)
assert os.environ["CUDA_VISIBLE_DEVICES"] == ",".join(names)
for name in names:
    os.symlink(str(os.getpid()), out / name)  # fails where another one is
time.sleep(0.05)
for name in names:
    (out / name).unlink()
(out / f"done-{os.getpid()}").touch()
if len(sys.argv) > 3:
    time.sleep(600)
"""


@pytest.fixture
def machine(tmp_path, monkeypatch) -> Path:
    """A folder for locks, and four devices."""
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv("ECHO_GPU_LOCKS", str(tmp_path / "locks"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    (tmp_path / "out").mkdir()
    return tmp_path


def start(machine: Path, count: int = 1, *more: str, **environment: str) -> subprocess.Popen:
    command = [sys.executable, "-c", CHILD, str(machine / "out"), str(count), *more]
    return subprocess.Popen(command, env=os.environ | environment, stderr=subprocess.PIPE, text=True)


def test_forty_jobs_on_four_devices_some_killed(machine):
    """No two on one device, and none stays taken: each job leaves a mark where it is, which a second one would hit."""
    draw = random.Random(4)
    jobs, killed = [], 0
    for number in range(40):
        jobs.append(start(machine, 2 if number % 5 == 0 else 1))
        if number % 4 == 3:  # a handful is under way: kill one of them, wherever it is
            time.sleep(draw.uniform(0, 0.2))
            victim = draw.choice([job for job in jobs if job.poll() is None] or jobs[-1:])
            victim.send_signal(signal.SIGSTOP)
            for mark in (machine / "out").iterdir():  # what it can not take away any more
                with contextlib.suppress(OSError):
                    if os.readlink(mark) == str(victim.pid):
                        mark.unlink()
            victim.kill()
            victim.wait()
            killed += victim.returncode == -signal.SIGKILL
    errors = [job.communicate(timeout=60)[1] for job in jobs]
    statuses = [job.returncode for job in jobs]
    assert statuses.count(-signal.SIGKILL) == killed >= 5
    assert statuses.count(0) == 40 - killed, "".join(errors)
    assert start(machine, 4).wait(timeout=60) == 0  # all are free again


def test_a_job_that_dies_frees_its_devices_and_a_living_one_keeps_them(machine):
    owner = start(machine, 3, "stay")
    while not list((machine / "out").glob("done-*")):
        time.sleep(0.02)
    assert gpus.lease(2, stop=lambda: True) is None
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1,2,3"
    owner.kill()
    owner.wait()
    follower = start(machine, 4)
    assert follower.wait(timeout=60) == 0


def test_it_asks_for_no_more_than_there_are(machine):
    with pytest.raises(UserError, match=r"found 4 GPUs \(0, 1, 2, 3\), allowed: at least the 5 "):
        gpus.lease(5)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("0,1", ["0", "1"]),
        ("GPU-8f,MIG-2a", ["GPU-8f", "MIG-2a"]),
        ("", []),
        ("-1", []),
        ("2,-1,3", ["2"]),
        ("NoDevFiles", []),
    ],
)
def test_a_given_set_is_respected(machine, monkeypatch, given, names):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert gpus.visible() == names


def test_without_a_given_set_the_driver_is_asked(machine, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    program = machine / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA A100 (UUID: GPU-1)'\necho 'GPU 1: NVIDIA A100 (UUID: GPU-2)'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{machine}:{os.environ['PATH']}")
    assert gpus.visible() == ["0", "1"]
    program.write_text("#!/bin/sh\necho 'No devices were found'\nexit 6\n")
    assert gpus.visible() == []
    assert gpus.lease(1) == []


def test_jobs_of_other_allocations_number_their_devices_by_themselves(machine):
    """Under cgroups every Slurm job calls its first GPU 0: that is no reason to wait for each other."""
    jobs = [start(machine, 4, "stay", SLURM_JOB_ID=str(number)) for number in (1, 2)]
    with contextlib.ExitStack() as stack:
        for job in jobs:
            stack.callback(job.wait)
            stack.callback(job.kill)
        for job in jobs:
            end = time.monotonic() + 60
            while not (machine / f"out/done-{job.pid}").exists() and job.poll() is None:
                assert time.monotonic() < end
                time.sleep(0.02)


def test_other_users_may_use_the_locks_but_not_replace_them(machine):
    previous = os.umask(0o077)
    try:
        assert start(machine).wait(timeout=60) == 0
    finally:
        os.umask(previous)
    folder = machine / "locks"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o1777
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o644}


def test_a_folder_of_locks_is_no_link(machine):
    (machine / "locks").symlink_to(machine / "out")
    with pytest.raises(UserError, match="allowed: a folder, of locks on GPUs"):
        gpus.lease(1)


def held(machine: Path, *percents: int) -> list[subprocess.Popen]:
    """Living jobs that have leased such parts, one after the other; the device of each is its `out/done-...`'s."""
    jobs = []
    for part in percents:
        known = set((machine / "held").glob("*")) if (machine / "held").exists() else set()
        (machine / "held").mkdir(exist_ok=True)
        program = SHARER.format(out=str(machine / "held"))
        jobs.append(subprocess.Popen([sys.executable, "-c", program], env=os.environ | {"ECHO_GPU_PERCENT": str(part)}))
        while len(set((machine / "held").glob("*"))) == len(known):
            assert jobs[-1].poll() is None
            time.sleep(0.02)
    return jobs


SHARER = """
import os, time
from pathlib import Path
from echochamber.jobs import gpus
name, = gpus.lease(1)
Path({out!r}, f"{{os.getpid()}}-on-{{name}}").touch()
time.sleep(600)
"""


def devices(machine: Path, jobs: list[subprocess.Popen]) -> list[str]:
    return [path.name.split("-on-")[1] for job in jobs for path in (machine / "held").glob(f"{job.pid}-on-*")]


def ended(jobs: list[subprocess.Popen]) -> None:
    for job in jobs:
        job.kill()
        job.wait()


def test_four_jobs_share_a_device_and_the_fifth_takes_the_next(machine):
    jobs = held(machine, 25, 25, 50, 25)
    try:
        assert devices(machine, jobs) == ["0", "0", "0", "1"]
        assert gpus.lease(2, stop=lambda: True) == ["2", "3"]
        os.environ["CUDA_VISIBLE_DEVICES"] = "0,1"
        assert gpus.lease(1, stop=lambda: True) is None  # no whole one is left
    finally:
        ended(jobs)


def test_the_fullest_device_with_room_is_taken_and_a_killed_job_frees_its_part(machine, monkeypatch):
    jobs = held(machine, 60, 60, 30)
    try:
        assert devices(machine, jobs) == ["0", "1", "0"]
        monkeypatch.setenv("ECHO_GPU_PERCENT", "95")
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
        assert gpus.lease(1, stop=lambda: True) is None
        ended(jobs[1:2])
        assert gpus.lease(1) == ["1"]
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"
    finally:
        ended(jobs)


def test_a_part_of_a_whole_that_is_leased_is_not_to_be_had(machine, monkeypatch):
    owner = start(machine, 4, "stay")
    try:
        while not list((machine / "out").glob("done-*")):
            time.sleep(0.02)
        monkeypatch.setenv("ECHO_GPU_PERCENT", "5")
        assert gpus.lease(1, stop=lambda: True) is None
    finally:
        ended([owner])


@pytest.mark.parametrize(("given", "part"), [("", 100), ("0", 100), ("25", 25), ("100", 100), ("400", 100)])
def test_hundredths(monkeypatch, given, part):
    monkeypatch.setenv("ECHO_GPU_PERCENT", given)
    assert gpus.percent() == part


def test_a_part_that_is_none_is_one_line(machine, monkeypatch):
    monkeypatch.setenv("ECHO_GPU_PERCENT", "0.25")
    with pytest.raises(UserError, match=r"^ECHO_GPU_PERCENT: found '0.25', allowed: a whole number, 100 for a GPU$"):
        gpus.lease(1)
    monkeypatch.setenv("ECHO_GPU_PERCENT", "25")
    with pytest.raises(UserError, match=r"^ECHO_GPU_PERCENT: found 25 for a job on 2 GPUs, allowed: 100$"):
        gpus.lease(2)


def test_no_memory_left_names_the_part(monkeypatch):
    import torch

    monkeypatch.setenv("ECHO_GPU_PERCENT", "25")
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of ...")
    assert gpus.out_of_memory(error) == (
        "found no memory left on the GPU (CUDA out of memory), of which this job has 25 % (gpu_share), allowed: a "
        "larger gpu_share of its scale or algorithm, or a smaller micro-batch"
    )
    assert gpus.out_of_memory(RuntimeError("another")) is None
