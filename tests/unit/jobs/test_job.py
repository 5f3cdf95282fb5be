"""Exit status, the one line per error, signals, a parent that is gone, one writer per folder: with real processes."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from echochamber.jobs import job
from echochamber.jobs.lock import sole_writer

SCRIPTS = Path(__file__).resolve().parents[3] / "workflow_scripts"
SPEC = '{"version": 1}'
PREAMBLE = "from echochamber.jobs.job import *\nimport time, sys\nfrom pathlib import Path\n"
PREAMBLE += "from echochamber.jobs.spec import Spec\n"
PREAMBLE += "class Seeded(Spec):\n    seed: int = 0\n"


def script(tmp_path: Path, body: str) -> Path:
    path = tmp_path / "script.py"
    path.write_text(
        PREAMBLE
        + "def body(job):\n"
        + textwrap.indent(textwrap.dedent(body), "    ")
        + "\nmain('test', Seeded, body)\n"
    )
    return path


def call(path: Path, *more: str, spec: str = SPEC) -> subprocess.CompletedProcess:
    command = [sys.executable, str(path), "--spec", spec, "--out", str(path.parent / "out"), *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_done_is_0_and_writes_provenance(tmp_path):
    done = call(script(tmp_path, "job.write_provenance(seed=job.spec.seed)"), spec='{"version": 1, "seed": 4}')
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out/provenance.json").read_text())
    assert record["seed"] == 4
    assert record["stage"] == "test"
    assert record["versions"]["torch"].startswith("2.")
    assert record["seconds"] >= 0
    assert {"code", "spec", "machine", "time", "git_commit"} <= record.keys()


@pytest.mark.parametrize("starts", [["start"], ["start", "launch"], []])
def test_however_it_is_started_garbage_is_collected_but_for_what_was_imported(tmp_path, starts):
    """Off while a script started for a rule imports, and never off in its work."""
    path = script(tmp_path, "print(gc.isenabled(), gc.get_freeze_count() > 10_000, sys.argv[0])")
    path.write_text("import gc\nprint(gc.isenabled())\n" + path.read_text())
    for name in starts:
        (tmp_path / f"{name}.py").write_text((SCRIPTS / f"{name}.py").read_text())
    names = [*starts[1:], "script"] if starts else []
    command = [sys.executable, str(tmp_path / f"{[*starts, 'script'][0]}.py"), *names, "--spec", SPEC, "--out", "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.stdout.split(), done.returncode) == ([str(not starts), "True", "True", str(path)], 0), done.stderr


def test_provenance_has_the_hashes_of_what_was_read_and_goes_where_it_is_told(tmp_path):
    (tmp_path / "table.csv").write_text("abc")
    body = f"job.write_provenance(Path({str(tmp_path / 'x.json')!r}), read=[Path({str(tmp_path / 'table.csv')!r})])"
    assert call(script(tmp_path, body)).returncode == 0
    record = json.loads((tmp_path / "x.json").read_text())
    of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1
    assert record["read"] == {str(tmp_path / "table.csv"): of_abc}


def test_a_job_does_not_begin_with_other_files_than_it_was_planned_with(tmp_path):
    (tmp_path / "model").write_text("abc")
    spec = json.dumps({"version": 1, "inputs": {str(tmp_path / "model"): "0" * 64}})
    refused = call(script(tmp_path, "print('begun')"), spec=spec)
    assert refused.returncode == 1
    assert "found other contents" in refused.stderr.splitlines()[-1]
    assert "begun" not in refused.stdout


@pytest.mark.parametrize(
    ("body", "status", "line"),
    [
        ("raise UserError('width: found 3, allowed: 4')", 1, "width: found 3, allowed: 4"),
        ("raise ValueError('many\\n lines')", 1, "ValueError: many lines"),
        (
            "raise Interrupted('step 3 of 9')",
            75,
            "interrupted (step 3 of 9); saved, the same command goes on from there",
        ),
    ],
)
def test_an_error_is_one_line_on_the_terminal_and_whole_in_the_log(tmp_path, body, status, line):
    log = tmp_path / "logs/test.log"
    done = call(script(tmp_path, f"print('chatter')\n{body}"), "--log", str(log))
    assert done.returncode == status
    assert done.stderr == f"test {tmp_path / 'out'}: {line} (log: {log})\n"
    assert done.stdout == ""
    assert "chatter" in log.read_text()
    assert line in log.read_text()


@pytest.mark.parametrize("spec", ["{", "[1]", "@nowhere.json", '{"version": 1, "sed": 4}', '{"version": "1"}'])
def test_a_bad_spec_is_one_line(tmp_path, spec):
    done = call(script(tmp_path, "pass"), spec=spec)
    assert done.returncode == 1
    assert "--spec: " in done.stderr
    assert ": found " in done.stderr
    assert len(done.stderr.strip().splitlines()) == 2  # where it runs, and the error
    assert "Traceback" not in done.stderr


def test_a_spec_may_come_from_a_file(tmp_path):
    (tmp_path / "spec.json").write_text('{"version": 1, "seed": 5}')
    done = call(script(tmp_path, "raise UserError(job.spec.text())"), spec=f"@{tmp_path / 'spec.json'}")
    assert '{"version": 1, "seed": 5}' in done.stderr


LOOP = """
    Path(job.out, 'started').parent.mkdir(parents=True, exist_ok=True)
    Path(job.out, 'started').touch()
    while not job.stop():
        time.sleep(0.02)
    raise Interrupted(job.stop.reason)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_signal_saves_and_exits_with_75(tmp_path, number):
    path = script(tmp_path, LOOP)
    command = [sys.executable, str(path), "--spec", SPEC, "--out", str(tmp_path / "out")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_for((tmp_path / "out/started").exists)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 75
    assert signal.Signals(number).name in errors


def test_a_job_whose_parent_is_killed_saves_and_stops(tmp_path):
    path = script(tmp_path, LOOP)
    parent = f"""
import os, subprocess, sys
command = [sys.executable, {str(path)!r}, "--spec", {SPEC!r}, "--out", {str(tmp_path / "out")!r}]
subprocess.Popen(command + ["--log", {str(tmp_path / "log")!r}, "--parent", str(os.getpid())]).wait()
"""
    process = subprocess.Popen([sys.executable, "-c", parent], stderr=subprocess.DEVNULL)
    wait_for((tmp_path / "out/started").exists)
    process.kill()
    process.wait()
    wait_for(lambda: "is gone" in (tmp_path / "log").read_text())


def test_a_lock_waits_for_the_living_and_takes_over_from_the_dead(tmp_path):
    code = f"""
import time
from pathlib import Path
from echochamber.jobs.lock import sole_writer
with sole_writer(Path({str(tmp_path)!r})):
    Path({str(tmp_path)!r}, "held").touch()
    time.sleep(600)
"""
    owner = subprocess.Popen([sys.executable, "-c", code])
    try:
        wait_for((tmp_path / "held").exists)
        assert f"process {owner.pid}" in (tmp_path / "LOCK").read_text()
        with sole_writer(tmp_path, stop=lambda: True) as held:
            assert not held
    finally:
        owner.kill()
        owner.wait()
    with sole_writer(tmp_path, stop=lambda: True) as held:
        assert held
        assert f"process {os.getpid()}" in (tmp_path / "LOCK").read_text()


def test_progress_says_how_long_still(caplog, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(job.time, "monotonic", lambda: now[0])
    caplog.set_level("INFO")
    progress = job.Progress(100, "step", done=20, seconds_between_lines=5)
    assert "going on from step 20 of 100" in caplog.text
    now[0] = 4.0
    progress.update(30)
    assert len(caplog.records) == 1  # too early for another line
    now[0] = 10.0
    progress.update(40, loss=1.5)
    # 20 steps in 10 seconds: the other 60 take 30.
    assert "step 40 of 100 (40 %), 2/s, 30 s left, loss 1.5" in caplog.text


def test_progress_leaves_its_place_in_a_file(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(job.time, "monotonic", lambda: now[0])
    file = tmp_path / "progress.json"
    progress = job.Progress(100, "step", done=20, seconds_between_lines=5, file=file)
    assert json.loads(file.read_text())["done"] == 20
    now[0] = 4.0
    progress.update(30, reward=0.5)
    assert json.loads(file.read_text())["done"] == 20  # too early
    now[0] = 10.0
    progress.update(40, format="tinygsm")
    place = json.loads(file.read_text())
    assert (place["unit"], place["done"], place["total"], place["per_second"]) == ("step", 40, 100, 2.0)
    assert place["numbers"] == {"reward": 0.5, "format": "tinygsm"}


def test_a_job_is_requeued_only_where_it_is_told_to_and_slurm_calls_it_running(tmp_path):
    """Slurm's programs by stand-ins that note how they are called; tests/slurm has the real ones."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "squeue").write_text('#!/bin/sh\necho "$STATE"\n')
    (programs / "scontrol").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/called\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    path = script(tmp_path, "raise Interrupted('step 3 of 9')")

    def ends(state: str, *more: str, job: str | None = "17") -> str:
        (tmp_path / "called").unlink(missing_ok=True)
        environment = {name: value for name, value in os.environ.items() if name != "SLURM_JOB_ID"}
        environment |= {"PATH": f"{programs}:{os.environ['PATH']}", "STATE": state}
        environment |= {"SLURM_JOB_ID": job} if job else {}
        command = [sys.executable, str(path), "--spec", SPEC, "--out", str(tmp_path / "out"), *more]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 75
        called = tmp_path / "called"
        assert ("is back in the queue" in done.stderr) == called.exists()
        return called.read_text().strip() if called.exists() else ""

    assert ends("RUNNING", "--requeue") == "requeue 17"
    assert ends("RUNNING") == ""
    assert ends("COMPLETING", "--requeue") == ""  # cancelled, or being preempted
    assert ends("RUNNING", "--requeue", job=None) == ""
