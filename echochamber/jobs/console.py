"""What Snakemake says on a terminal, in fewer words: a line a finished job with its result, bars while it runs.

A handler of Python's logging in the place of Snakemake's own: records are told apart by the `event` that Snakemake
gives them. Warnings and errors pass as they are; the whole talk goes to Snakemake's log file, whose handler stays.
Where there is no terminal there are no bars, only lines.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO

from rich.console import Console as Terminal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PASSED = ("job_error", "group_error", "error")
"""Events that are shown as Snakemake words them, whatever their level."""
KEPT = ("Nothing to be done",)
"""Beginnings of other messages that are shown."""
SECONDS_BETWEEN_LOOKS = 2.0
"""At how far running jobs are."""

Wildcards = Mapping[str, str]


@dataclass(frozen=True)
class HowFar:
    """Of a running job."""

    done: float
    total: float
    seconds_left: float | None


@dataclass(frozen=True)
class About:
    """What the grid knows of a job by its rule and wildcards."""

    result: Callable[[str, Wildcards], str]
    """Of a finished job, in a few words; empty: none."""
    how_far: Callable[[str, Wildcards], HowFar | None]


@dataclass
class _Job:
    rule: str
    words: str
    wildcards: dict[str, str]
    begun: float = field(default_factory=time.monotonic)


class Console(logging.Handler):
    """The lines and the bars.

    Args:
        inner: the handler that it stands for, which words and filters what is passed on.
        about: results and progress of jobs.
        stream: where it writes.
    """

    def __init__(self, inner: logging.Handler, about: About, stream: IO[str] | None = None) -> None:
        super().__init__()
        self.inner, self.about = inner, about
        self.terminal = Terminal(file=stream or sys.stderr, highlight=False, markup=False, soft_wrap=True)
        self.jobs: dict[int, _Job] = {}
        self.finished: list[_Job] = []
        self.bars: _Bars | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._emit(record)
        except Exception:  # as logging does: what cannot be said ends no run
            self.handleError(record)

    def _emit(self, record: logging.LogRecord) -> None:
        event = str(getattr(record, "event", None) or "")
        if record.levelno >= logging.WARNING or event in PASSED:
            if self.inner.filter(record):
                self.say(self.inner.format(record))
        elif event == "run_info" and self.terminal.is_terminal and self.bars is None:
            self.bars = _Bars(self.terminal, self, vars(record).get("stats") or {})
        elif event == "job_info":
            words = vars(record).get("rule_msg") or vars(record)["rule_name"]
            wildcards = {name: str(value) for name, value in dict(vars(record).get("wildcards") or {}).items()}
            self.jobs[vars(record)["jobid"]] = _Job(vars(record)["rule_name"], str(words), wildcards)
        elif event == "job_finished":
            if job := self.jobs.pop(vars(record)["job_id"], None):
                self.finished.append(job)
        elif event == "progress":
            self._progress(vars(record)["done"], vars(record)["total"])
        elif not event and str(record.msg or "").startswith(KEPT):
            self.say(str(record.msg))

    def _progress(self, done: int, total: int) -> None:
        for job in self.finished:
            result = self.about.result(job.rule, job.wildcards)
            took = duration(time.monotonic() - job.begun)
            self.say(f"[{done:>{len(str(total))}}/{total}] {job.words}{f': {result}' if result else ''} ({took})")
        self.finished.clear()
        if self.bars:
            self.bars.update(done, total)

    def say(self, words: str) -> None:
        """A line above the bars."""
        self.terminal.print(words)

    def close(self) -> None:
        if self.bars:
            self.bars.stop()
            self.bars = None
        super().close()


class _Bars:
    """A bar of the grid, and one of each running job that says how far it is."""

    def __init__(self, terminal: Terminal, console: Console, counts: Mapping[str, int]) -> None:
        """counts: jobs of each rule, and `total`."""
        self.console = console
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}"),
        )
        self.progress = Progress(*columns, TimeRemainingColumn(), console=terminal, transient=True)
        self.grid = self.progress.add_task("jobs", total=counts.get("total"), left="")
        self.tasks: dict[int, object] = {}
        self.stopped = threading.Event()
        self.progress.start()
        threading.Thread(target=self._look, daemon=True).start()

    def update(self, done: int, total: int) -> None:
        self.progress.update(self.grid, completed=done, total=total)

    def _look(self) -> None:
        while not self.stopped.wait(SECONDS_BETWEEN_LOOKS):
            jobs = dict(self.console.jobs)
            for id in [id for id in self.tasks if id not in jobs]:
                self.progress.remove_task(self.tasks.pop(id))  # type: ignore[arg-type]
            for id, job in jobs.items():
                if far := self.console.about.how_far(job.rule, job.wildcards):
                    if id not in self.tasks:
                        self.tasks[id] = self.progress.add_task(job.words, left="")
                    left = "" if far.seconds_left is None else f"{duration(far.seconds_left)} left"
                    self.progress.update(self.tasks[id], completed=far.done, total=far.total, left=left)  # type: ignore[arg-type]

    def stop(self) -> None:
        self.stopped.set()
        self.progress.stop()


def take_over(logger: logging.Logger, about: About, stream: IO[str] | None = None) -> Console | None:
    """Put a `Console` in the place of Snakemake's own handler of the terminal; None where a plugin writes there."""
    for inner in logger.handlers:
        if inner.name == "DefaultStreamHandler":
            console = Console(inner, about, stream)
            logger.addHandler(console)
            logger.removeHandler(inner)
            return console
    return None


def duration(seconds: float) -> str:
    """`0:07`, `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
