"""A tiny grid on the test cluster, and the ways in which a cluster disturbs it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import psutil
import torch
from interruptible import interruptible

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "build/slurm-plugin"
MODEL = "tg/femto/seed0"
SECONDS_BETWEEN_SAVES = 0.5
PATIENCE = 600
"""Seconds; nothing waits so long unless something is broken."""


class Grid:
    """A working folder whose corpora and mixtures are there already; what is left to do are trainings."""

    def __init__(self, folder: Path, warm: Path | None = None) -> None:
        self.folder = folder
        if warm:
            shutil.copytree(warm, folder, copy_function=shutil.copy2)  # as old as they were: nothing is to be redone
        else:
            folder.mkdir()
            shutil.copy(ROOT / "tests/slurm/tiny.yaml", folder)
        self.output = folder / "snakemake.out"
        self.main: subprocess.Popen | None = None

    @property
    def results(self) -> Path:
        return self.folder / "results/tiny"

    @property
    def state(self) -> Path:
        return self.results / "state" / MODEL

    @property
    def log(self) -> Path:
        return self.results / "logs/pretrain" / f"{MODEL}.log"

    @property
    def metrics(self) -> Path:
        return self.results / "models" / MODEL / "metrics.csv"

    def command(self, *arguments: str) -> list[str]:
        start = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
        return [*start, *arguments, "--configfile", "tiny.yaml"]

    def start(self, *arguments: str, slurm: bool = True) -> None:
        """Give the command; its output is added to `output`."""
        environment = os.environ | {"ECHO_DEVICE": "cpu", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        environment["ECHO_SECONDS_BETWEEN_SAVES"] = str(SECONDS_BETWEEN_SAVES)
        if slurm:
            more = ["--profile", str(ROOT / "profiles/slurm"), "--slurm-init-seconds-before-status-checks", "2"]
            environment["PYTHONPATH"] = str(PLUGIN)
        else:
            more = ["--cores", "2"]
        with self.output.open("a") as output:
            command = self.command(*arguments, *more)
            self.main = subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=interruptible,
            )

    def finish(self) -> int:
        """Wait for the command; gives its exit status."""
        return self.main.wait(timeout=PATIENCE)

    def train(self, *resources: str) -> None:
        """Start the pretraining of one model on the cluster. `resources`: as for --set-resources, without the rule."""
        target = str(self.metrics.relative_to(self.folder))
        chosen = [f"pretrain:{resource}" for resource in ("mem_mb=1000", "runtime=10", *resources)]
        self.start(target, "--set-resources", *chosen)

    def freeze(self) -> Freeze:
        """Stop the training's process in the middle, some steps after it has saved something."""
        wait_for(lambda: (self.state / "latest/state.pt").exists(), f"{self.folder.name}: nothing is saved")
        return Freeze(self)

    def told(self) -> str:
        """What Snakemake, the jobs and the training said and what Slurm knows of them: shown where a test fails."""
        jobs = re.findall(r"has been submitted with SLURM jobid (\d+)", self.output.read_text())
        log = self.log.read_text() if self.log.exists() else "no log of the training"
        logs = (self.folder / ".snakemake/slurm_logs").rglob("*.log")
        of_jobs = [f"{path.name}:\n{path.read_text()}" for path in logs]
        known = (slurm("scontrol", "show", "job", job) for job in jobs)
        return "\n".join([self.output.read_text(), log, *of_jobs, *known])

    def job(self) -> str:
        """The number of the last Slurm job that was submitted."""
        return re.findall(r"has been submitted with SLURM jobid (\d+)", self.output.read_text())[-1]

    def says(self, words: str) -> bool:
        """Whether the log of the training has the words; Snakemake removes it before it starts a job again."""
        return self.log.exists() and words in self.log.read_text()

    def status(self) -> str:
        """The state of the training as `snakemake status` tells it, whatever else goes on in the folder."""
        command = self.command("status", "--cores", "1", "--quiet", "all")
        told = subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True, timeout=PATIENCE)
        return next(line.split()[1] for line in told.stdout.splitlines() if line.startswith(f"{MODEL} "))

    def saved_step(self) -> int:
        saved = torch.load(self.state / "latest/state.pt", weights_only=True)
        return saved["finished"]["metrics"][-1]["step"] if "finished" in saved else saved["step"]

    def resumed(self) -> tuple[datetime, int] | None:
        """When the training last went on, and from which step; None if it never stopped."""
        found = re.search(r"(\d+):(\d+):(\d+) going on from step (\d+)", self.log.read_text())
        if not found:
            return None
        hours, minutes, seconds, step = map(int, found.groups())
        return datetime.now().replace(hour=hours, minute=minutes, second=seconds), step


class Freeze:
    """A process that does not run, as on a machine that is busy: what happens meanwhile happens in its middle."""

    def __init__(self, grid: Grid) -> None:
        owner = (grid.state / "LOCK").read_text()
        self.process = int(re.search(r"process (\d+)", owner)[1])
        os.kill(self.process, signal.SIGSTOP)
        self.hit_at = time.time()
        self.step = grid.saved_step()
        self.unsaved_seconds = self.hit_at - (grid.state / "latest/state.pt").stat().st_mtime

    def asked_to_stop(self) -> bool:
        """Whether SIGTERM waits for the process, or has ended it: Slurm wakes what it cancels."""
        try:
            pending = re.search(r"ShdPnd:\s*(\w+)", Path(f"/proc/{self.process}/status").read_text())[1]
        except FileNotFoundError:
            return True
        return bool(int(pending, 16) >> (signal.SIGTERM - 1) & 1)

    def thaw(self) -> None:
        self.hit_at = time.time()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process, signal.SIGCONT)


def wait_for(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def slurm(*command: str) -> str:
    """What a program of Slurm answers."""
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


def state_of(job: str) -> str:
    return slurm("squeue", "--noheader", "--states", "all", "--jobs", job, "--format", "%T")


def kill_node(cluster: Path, node: str, jobs: list[str]) -> None:
    """SIGKILL to everything on a node at once: its daemon, and what it runs of these jobs.

    All stand still first: none lives to tell Slurm how another one has ended, as none does where a machine dies.
    """
    doomed = [psutil.Process(int((cluster / f"run/slurmd-{node}.pid").read_text()))]
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if any(f"slurmstepd: [{job}." in line for job in jobs):
            doomed += [process, *process.children(recursive=True)]
    for end in (psutil.Process.suspend, psutil.Process.kill):
        for process in doomed:
            with contextlib.suppress(psutil.NoSuchProcess):
                end(process)
