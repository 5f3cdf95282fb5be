"""A failed job's command is shown without its spec."""

import io
import json
import logging
import shlex

from echochamber.jobs.brief import Brief

SPEC = shlex.quote(json.dumps({"title": "it's --spec", "values": list(range(3000))}))
PREFIX = "set -euo pipefail; job() { true; }; "


def test_the_spec_and_the_prefix_are_left_out():
    brief = Brief(PREFIX)
    command = f"job posttrain --spec {SPEC} --out results/a/runs/b --state s --log l"
    short = "job posttrain --spec ... --out results/a/runs/b --state s --log l"
    assert brief.shortened(command) == short
    said = f"CalledProcessError:\nCommand '{PREFIX}{command}' returned non-zero exit status 1."
    assert brief.shortened(said) == f"CalledProcessError:\nCommand '{short}' returned non-zero exit status 1."
    assert brief.shortened(f"script show_status --spec {SPEC} 2> log") == "script show_status --spec ... 2> log"


def test_a_logger_says_it_briefly():
    shown = io.StringIO()
    handler = logging.StreamHandler(shown)
    handler.setFormatter(logging.Formatter("%(message)s | %(shellcmd)s"))
    logger = logging.Logger("of its own")
    logger.addHandler(handler)
    logger.addFilter(Brief(PREFIX))
    logger.error(f"Command '{PREFIX}job x --spec {SPEC} --out y'", extra={"shellcmd": f"job x --spec {SPEC} --out y"})
    assert shown.getvalue() == "Command 'job x --spec ... --out y' | job x --spec ... --out y\n"


def test_other_records_are_left_alone():
    record = logging.LogRecord("a", logging.INFO, "f", 1, "what %s", ("it says",), None)
    assert Brief(PREFIX).filter(record)
    assert record.getMessage() == "what it says"
