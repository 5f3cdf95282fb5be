"""The console: a line a finished job with its result, errors and warnings as they are, everything else left out."""

from __future__ import annotations

import io
import logging

import pytest

from echochamber.jobs import console
from echochamber.jobs.console import About, Console, HowFar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def about(how_far: HowFar | None = None) -> About:
    return About(
        result=lambda rule, wildcards: f"reward 0.5 of {wildcards['run']}" if rule == "posttrain" else "",
        how_far=lambda rule, wildcards: how_far,
    )


@pytest.fixture
def logger():
    logger = logging.Logger("of its own")
    inner = logging.StreamHandler(io.StringIO())
    inner.name = "DefaultStreamHandler"
    inner.setFormatter(logging.Formatter("as it is: %(message)s"))
    logger.addHandler(inner)
    file = logging.StreamHandler(io.StringIO())
    file.name = "DefaultLogFileHandler"
    logger.addHandler(file)
    return logger


def start(logger: logging.Logger, job: int, rule: str, message: str | None, **wildcards: str) -> None:
    extra = {"event": "job_info", "jobid": job, "rule_name": rule, "rule_msg": message, "wildcards": wildcards}
    logger.info(f"Rule: {rule}", extra=extra | {"reason": "Missing output files: " + "x" * 1000})


def end(logger: logging.Logger, job: int, done: int, total: int) -> None:
    logger.info(f"Finished jobid: {job}", extra={"event": "job_finished", "job_id": job})
    logger.info(None, extra={"event": "progress", "done": done, "total": total})


def test_a_line_a_finished_job_and_the_rest_in_the_file(logger):
    out = io.StringIO()
    taken = console.take_over(logger, about(), out)
    logger.info("Building DAG of jobs...")
    logger.info("Job stats: ...", extra={"event": "run_info", "stats": {}})
    start(logger, 1, "posttrain", "Post-training [a]", run="a")
    start(logger, 2, "figure", None)
    logger.info("Select jobs to execute...")
    end(logger, 1, 9, 10)
    end(logger, 2, 10, 10)
    taken.close()
    assert out.getvalue() == "[ 9/10] Post-training [a]: reward 0.5 of a (0:00)\n[10/10] figure (0:00)\n"
    (file,) = [handler for handler in logger.handlers if handler.name == "DefaultLogFileHandler"]
    assert "Select jobs to execute..." in file.stream.getvalue()


def test_warnings_and_errors_are_said_as_they_are(logger):
    out = io.StringIO()
    console.take_over(logger, about(), out)
    logger.warning("[bold]disk is full")
    logger.info("Error in rule posttrain, jobid: 3", extra={"event": "job_error"})
    logger.error("Exiting because a job execution failed.")
    logger.info("Nothing to be done (all requested files are present and up to date).")
    logger.info("Complete log(s): x")
    assert out.getvalue().splitlines() == [
        "as it is: [bold]disk is full",
        "as it is: Error in rule posttrain, jobid: 3",
        "as it is: Exiting because a job execution failed.",
        "Nothing to be done (all requested files are present and up to date).",
    ]


def test_what_the_inner_handler_filters_stays_unsaid(logger):
    logger.handlers[0].addFilter(lambda record: "secret" not in record.getMessage())
    out = io.StringIO()
    console.take_over(logger, about(), out)
    logger.warning("secret")
    assert out.getvalue() == ""


def test_a_result_that_cannot_be_read_ends_nothing(logger, capsys):
    def broken(rule, wildcards):
        raise ValueError("half a line")

    taken = console.take_over(logger, About(broken, lambda rule, wildcards: None), io.StringIO())
    start(logger, 1, "posttrain", "Post-training a", run="a")
    end(logger, 1, 1, 1)
    assert "half a line" in capsys.readouterr().err
    assert isinstance(taken, Console)


def test_a_terminal_has_bars_of_the_grid_and_of_running_jobs(logger, monkeypatch):
    monkeypatch.setattr(console, "SECONDS_BETWEEN_LOOKS", 0.01)
    monkeypatch.setenv("TERM", "xterm")
    out = Terminal()
    taken = console.take_over(logger, about(HowFar(3, 12, 65)), out)
    logger.info("Job stats: ...", extra={"event": "run_info", "stats": {"figure": 1, "posttrain": 3, "total": 4}})
    start(logger, 1, "figure", "Figure x")
    end(logger, 1, 1, 4)
    start(logger, 2, "posttrain", "Post-training a", run="a")
    for _ in range(300):
        if "1:05 left" in out.getvalue():
            break
        taken.bars.stopped.wait(0.02)
    taken.close()
    assert "[1/4] Figure x (0:00)" in out.getvalue()
    assert "0/4" in out.getvalue()
    assert "3/12" in out.getvalue()
    assert "1:05 left" in out.getvalue()


def test_a_plugin_keeps_its_place():
    assert console.take_over(logging.Logger("none"), about()) is None


def test_durations():
    assert [console.duration(s) for s in (0.4, 67, 3723)] == ["0:00", "1:07", "1:02:03"]
