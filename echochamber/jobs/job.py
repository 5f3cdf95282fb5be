"""The frame around every script: arguments, log, one line per error, signals, provenance.

    python workflow_scripts/<stage>.py --spec '<json>' --out DIR [--state DIR] [--log FILE] [--parent PID] [--requeue]

The same by hand, under Snakemake and under torchrun. Exit status: 0 done, 1 error (one line says what),
75 interrupted: what was done is saved, the same command goes on from there. With --requeue an interrupted job puts the
Slurm job that it runs in back into the queue.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import logging
import os
import platform
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, NoReturn

import psutil

from echochamber import __version__
from echochamber.errors import Interrupted, UserError
from echochamber.jobs import closure, files, gpus, inputs, slurm, start
from echochamber.jobs.spec import S, parse
from echochamber.printable import printable_lines

RANK = os.environ.get("RANK")
"""The number of this process among those that torchrun has started; None without torchrun."""

EXIT_ERROR = 1
EXIT_INTERRUPTED = 75  # EX_TEMPFAIL: try again

log = logging.getLogger(__name__)


class Stop:
    """Whether the job should save and stop: on SIGTERM, SIGUSR1 or SIGINT, or when its parent is gone.

    The first two are what batch systems warn with. Without the last one the children of a killed Snakemake would go on
    beside those of its rerun. A process of torchrun has torchrun in between: then it is the parent's parent, and
    torchrun, that must not go.
    """

    def __init__(self, parent: int | None = None) -> None:
        self.torchrun = os.getppid() if RANK is not None else None
        self.parent = parent
        self.reason: str | None = None
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: object) -> None:
        self.reason = signal.Signals(number).name

    def __call__(self) -> bool:
        if self.reason is None and self.parent is not None and self._parent() != self.parent:
            self.reason = "the process that started this job is gone"
        return self.reason is not None

    def _parent(self) -> int | None:
        if self.torchrun is None or os.getppid() != self.torchrun:
            return os.getppid()
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.torchrun).ppid()
        return None


class Progress:
    """How far, how fast, how long still: a line in the log every few seconds, and the same in a file.

    The file (JSON) is what `make status` reads, from other processes and other machines.
    """

    def __init__(
        self,
        total: float,
        unit: str,
        done: float = 0,
        seconds_between_lines: float = 5.0,
        file: Path | None = None,
    ) -> None:
        self.total, self.unit, self.first = total, unit, done
        self.pause, self.file = seconds_between_lines, file
        self.numbers: dict[str, float | str] = {}
        self.started = self.last_line = time.monotonic()
        if done:
            log.info("going on from %s %g of %g", unit, done, total)
        self._write(done, None)

    def update(self, done: float, **numbers: float | str) -> None:
        """Say that `done` of `total` are done; `numbers` are shown beside it until there are newer ones."""
        self.numbers |= numbers
        now = time.monotonic()
        if now - self.last_line < self.pause and done < self.total:
            return
        self.last_line = now
        rate = (done - self.first) / max(now - self.started, 1e-9)
        left = f"{(self.total - done) / rate:.0f} s left" if rate > 0 else "time left unknown"
        shown = "".join(
            f", {name} {value if isinstance(value, str) else f'{value:.4g}'}" for name, value in self.numbers.items()
        )
        log.info(
            "%s %g of %g (%.0f %%), %.3g/s, %s%s",
            self.unit,
            done,
            self.total,
            100 * done / max(self.total, 1e-9),
            rate,
            left,
            shown,
        )
        self._write(done, rate)

    def _write(self, done: float, per_second: float | None) -> None:
        if self.file:
            progress = {"unit": self.unit, "done": done, "total": self.total, "per_second": per_second}
            files.write_json(self.file, progress | {"numbers": self.numbers, "host": platform.node()})


class Rate:
    """The same where nobody knows how much there is in all."""

    def __init__(self, unit: str, seconds_between_lines: float = 5.0) -> None:
        self.unit, self.pause = unit, seconds_between_lines
        self.started = self.last_line = time.monotonic()

    def update(self, done: float) -> None:
        now = time.monotonic()
        if now - self.last_line >= self.pause:
            self.last_line = now
            log.info("%s %g, %.3g/s", self.unit, done, done / (now - self.started))


@dataclass
class Job(Generic[S]):
    """One call of a script."""

    stage: str
    spec: S
    out: Path
    state: Path
    stop: Stop
    started: float = field(default_factory=time.monotonic)

    def write_provenance(self, file: str | Path = "provenance.json", read: Iterable[Path] = (), **more: Any) -> None:
        """`file`, a path or a name in the job's folder: what made the result, and what the caller adds.

        `code` is the hash of the script and all modules that it imports (`echochamber.jobs.closure`).

        Args:
            read: results of other jobs that this one is made of: `read` of the record has their hashes.
        """
        record: dict[str, Any] = {"stage": self.stage, "spec": self.spec.canonical(), "versions": versions()}
        script = Path(sys.argv[0]).resolve()
        code = closure.code_hash(script) if script.suffix == ".py" and script.is_file() else None
        record |= {"code": code, "git_commit": git_commit()}
        record |= {"machine": {"host": platform.node(), "system": platform.platform(), "processor": platform.machine()}}
        record |= {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        if hashes := {path.as_posix(): inputs.sha256(path) for path in sorted(set(read))}:
            record |= {"read": hashes}
        record |= {"seconds": round(time.monotonic() - self.started, 3)} | more
        files.write_json(file if isinstance(file, Path) else self.out / file, record)


def versions() -> dict[str, str]:
    """Versions of everything that may change a result."""
    names = (
        "torch",
        "transformers",
        "tokenizers",
        "numpy",
        "scipy",
        "pandas",
        "pydantic-monty",
        "math-verify",
        "sympy",
    )
    installed = {"echochamber": __version__, "python": platform.python_version()}
    for name in names:  # an environment for analysis has no torch
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            installed[name] = importlib.metadata.version(name)
    return installed


def git_commit() -> str | None:
    """The commit of the code, with "+" where files differ from it; None outside a repository."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
        ).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def main(stage: str, kind: type[S], body: Callable[[Job[S]], None]) -> NoReturn:
    """Run `body` as a script: the only place where a script's exit status is decided.

    Args:
        kind: the class of its spec.
    """
    start.imported()
    parser = argparse.ArgumentParser(description=f"The {stage} job of the experiment grid.")
    parser.add_argument("--spec", required=True, help="what to do, as JSON, or @FILE that holds it")
    parser.add_argument("--out", required=True, type=Path, help="folder of the results")
    parser.add_argument("--state", type=Path, help="folder to resume from (default: OUT.state)")
    parser.add_argument("--log", type=Path, help="file for the log (default: the terminal)")
    parser.add_argument("--parent", type=int, help="save and stop when this process is no longer the parent")
    parser.add_argument(
        "--requeue", action="store_true", help="when interrupted, put this Slurm job back into the queue"
    )
    arguments = parser.parse_args()
    terminal = os.fdopen(os.dup(2), "w", encoding="utf-8")
    if arguments.log:
        if RANK not in (None, "0"):
            arguments.log = arguments.log.with_suffix(f".rank{RANK}.log")
        _redirect_output(arguments.log)
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S", level=logging.INFO, stream=sys.stderr)
    for chatty in ("httpx", "httpx2", "fsspec", "filelock", "fontTools", "matplotlib"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    log.info("%s on %s", stage, _process_info())

    try:
        spec = parse(kind, arguments.spec)
        if spec.inputs:
            inputs.Contents().check(spec.inputs)
        state = arguments.state or arguments.out.with_name(arguments.out.name + ".state")
        body(Job(stage, spec, arguments.out, state, Stop(arguments.parent)))
        status, line = 0, None
    except Interrupted as interrupted:
        requeued = arguments.requeue and RANK in (None, "0") and slurm.requeue()
        how = "this Slurm job is back in the queue" if requeued else "the same command goes on from there"
        status, line = EXIT_INTERRUPTED, f"interrupted ({interrupted}); saved, {how}"
    except UserError as error:
        status, line = EXIT_ERROR, str(error)
    except Exception as error:
        traceback.print_exc()
        line = gpus.out_of_memory(error) or f"{type(error).__name__}: {' '.join(str(error).split())}"
        status = EXIT_ERROR
    if line:
        line = printable_lines(line)  # it may quote a model or a file
        log.error("%s", line)
        if arguments.log and RANK in (None, "0"):
            print(f"{stage} {arguments.out}: {line} (log: {arguments.log})", file=terminal, flush=True)
    sys.stdout.flush()
    sys.stderr.flush()
    sys.exit(status)


def _process_info() -> str:
    """Where this runs, for the log of a job that failed on one machine of many."""
    names = ("SLURM_JOB_ID", "SLURMD_NODENAME", "CUDA_VISIBLE_DEVICES")
    given = [f"{name}={os.environ[name]}" for name in names if name in os.environ]
    return ", ".join([platform.node(), f"process {os.getpid()}", *given])


def _redirect_output(path: Path) -> None:
    """Send this process's own output, and that of its libraries, to the log file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
