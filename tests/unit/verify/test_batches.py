"""A batch of answers that all meet a limit: how long it may take, how soon it stops, and what a failure in it costs."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest
from interruptible import interruptible

from echochamber.errors import Interrupted, WorkerError
from echochamber.verify import batch, close, counters, patience, sandbox, scoring, verify, verify_batch
from echochamber.verify.line_process import LineProcess

RIGHT = "def simple_math_problem():\n    return 18"


def endless(count: int) -> list[str]:
    return [f"def simple_math_problem():\n    n = {i}\n    while True: pass" for i in range(count)]


@pytest.fixture(autouse=True)
def closed():
    yield
    close()


@pytest.mark.timeout(120)
def test_a_batch_has_a_budget_and_what_needs_no_worker_is_judged_all_the_same(monkeypatch) -> None:
    monkeypatch.setattr(patience, "SECONDS_BATCH", 3.0)
    texts = [*endless(40), "so \\boxed{18}", "The answer is: 18", RIGHT]
    started = time.monotonic()
    verdicts = verify_batch(texts, [18] * len(texts))
    # 40 of them one after the other take 90 s.
    assert time.monotonic() - started < 25
    assert [one.status for one in verdicts[:40]] == ["timeout"] * 40
    assert [one.correct for one in verdicts[40:42]] == [True, True]
    assert verdicts[42].status in ("ok", "timeout")
    assert verify(RIGHT, 18).correct  # the next batch has its own


@pytest.mark.timeout(120)
def test_threads_have_workers_of_their_own_and_give_the_same_verdicts(monkeypatch) -> None:
    monkeypatch.setattr(batch, "THREADS", 3)
    texts = [
        text
        for i in range(30)
        for text in (f"{RIGHT}  # {i}", f"so \\boxed{{\\frac{{{36 * (i + 1)}}}{{{2 * (i + 1)}}}}}", f"\\boxed{{{i}}}")
    ]
    alone = [verify(text, 18) for text in texts]
    monkeypatch.setattr(batch, "SECONDS_SERIAL", -1.0)
    assert verify_batch(texts, [18] * len(texts)) == alone
    names = [child.name() for child in psutil.Process().children(recursive=True)]
    assert 1 < names.count("monty") <= 4
    close()
    assert not [child for child in psutil.Process().children(recursive=True) if child.name() == "monty"]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("after", [0.6, 4.0])
def test_a_stop_is_answered_within_three_seconds(after: float) -> None:
    before, asked = counters(), threading.Event()
    threading.Timer(after, asked.set).start()
    started = time.monotonic()
    with pytest.raises(Interrupted, match="while verifying"):
        verify_batch(endless(100), [18] * 100, stop=asked.is_set)
    assert time.monotonic() - started < after + 3
    assert counters() == before  # the batch is verified again, and counted then
    assert verify(RIGHT, 18).correct


INTERRUPTED = """
from echochamber.verify import verify, verify_batch
verify("so \\\\boxed{\\\\sqrt{2}}", 18)
print("ready", flush=True)
try:
    verify_batch([f"so \\\\boxed{{2^{{{i}000000000}}-1}}" for i in range(1, 200)], [18] * 199)
except KeyboardInterrupt:
    print(verify("so \\\\boxed{\\\\frac{36}{2}}", 18).correct, verify("so \\\\boxed{\\\\frac{36}{3}}", 18).correct)
"""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("after", [0.5, 4.0])
def test_ctrl_c_is_answered_and_no_reply_is_taken_for_anothers(after: float) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=interruptible,
    )
    assert process.stdout.readline() == "ready\n"
    time.sleep(after)
    os.killpg(process.pid, signal.SIGINT)
    assert process.stdout.read() == "True False\n"
    assert process.wait() == 0
    process.stdout.close()


def test_what_a_completion_raises_is_its_own_error(monkeypatch, caplog) -> None:
    def failing(completion, gold, rule, truncated):
        if "\\boxed{7}" in completion.text:
            raise OverflowError("\x1b[31m too large")
        return judge(completion, gold, rule, truncated)

    judge = scoring.judge
    monkeypatch.setattr(scoring, "judge", failing)
    before = counters().get("status_error", 0)
    with caplog.at_level(logging.WARNING):
        verdicts = verify_batch(["\u202e\x1b[2J\\boxed{7}", "\\boxed{18}"], [18, 18])
    assert [one.status for one in verdicts] == ["error", "ok"]
    assert [one.correct for one in verdicts] == [False, True]
    assert verdicts[0].format == "omi2"
    assert counters()["status_error"] == before + 1
    (record,) = caplog.records
    assert "\\u202e\\x1b[2J\\\\boxed{7}" in record.getMessage().replace("\\boxed", "\\\\boxed")
    assert record.getMessage().isprintable()


def test_a_worker_that_does_not_start_is_no_completions_error(monkeypatch) -> None:
    def failing(*_):
        raise WorkerError("math-verify does not start")

    monkeypatch.setattr(scoring, "judge", failing)
    with pytest.raises(WorkerError):
        verify("\\boxed{7}", 18)


def test_a_machine_without_the_sandbox_is_no_completions_error(monkeypatch) -> None:
    def missing():
        raise FileNotFoundError("could not locate the `monty` binary")

    close()
    monkeypatch.setattr(sandbox, "find_monty_binary", missing)
    with pytest.raises(WorkerError, match="the sandbox does not start: could not locate"):
        verify_batch([RIGHT, "\\boxed{18}"], [18, 18])


STARTING = """
import os, pathlib, signal, sys
mark = pathlib.Path(sys.argv[1])
mark.write_text(mark.read_text() + "x" if mark.exists() else "x")
if len(mark.read_text()) < int(sys.argv[2]):
    os.kill(os.getpid(), signal.SIGKILL)
print("ready", flush=True)
for line in sys.stdin:
    print('{"heard": ' + line.strip() + "}", flush=True)
"""


def test_a_worker_killed_at_its_start_is_started_again(tmp_path) -> None:
    process = LineProcess([sys.executable, "-c", STARTING, str(tmp_path / "a"), "3"], None, 30.0)
    assert process.ask({"a": 1}, 30.0) == {"heard": {"a": 1}}
    process.kill()
    never = LineProcess([sys.executable, "-c", STARTING, str(tmp_path / "b"), "99"], None, 30.0)
    with pytest.raises(ValueError, match="end of file"):
        never.ask({}, 30.0)
    assert (tmp_path / "b").read_text() == "xxx"


def test_a_reply_without_end_is_cut() -> None:
    code = "import sys\nprint('ready', flush=True)\nsys.stdin.readline()\nwhile True: sys.stdout.write('9' * 65536)"
    process = LineProcess([sys.executable, "-c", code], None, 30.0)
    assert process.ask({}, 30.0) is None
