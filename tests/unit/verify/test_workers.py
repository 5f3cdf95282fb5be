"""The worker processes: lazily started, replaced when killed, ended with their parent, never shared with a fork."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from interruptible import interruptible

from echochamber.verify import Verdict, close, counters, restore_counters, verify, verify_batch
from echochamber.verify.hardening import launcher
from echochamber.verify.sandbox import Sandbox

RIGHT = "def simple_math_problem():\n    return 18"
MIXED = [
    RIGHT,
    "def simple_math_problem():\n    return 1 / 0",
    "<llm-code>\n3 * 6\n</llm-code>",
    "<llm-code>\nimport sympy\n</llm-code> so \\boxed{\\frac{36}{2}}",
    "so \\boxed{18}",
    "so \\boxed{\\sqrt{2} + x}",
    "The answer is: 18",
    "",
    "def simple_math_problem():\n    return str({'a', 'b', 'c'}) + str(hash('a'))",
    "import random\nimport time\ndef simple_math_problem():\n    return random.random() + time.time()",
]


def worker() -> psutil.Process:
    verify(RIGHT, 18)
    found = [child for child in psutil.Process().children(recursive=True) if child.name() == "monty"]
    assert len(found) == 1
    return found[0]


def gone(pid: int, seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def test_verdicts_do_not_depend_on_order_batches_threads_or_processes() -> None:
    texts = MIXED * 3
    expected = dict(zip(MIXED, verify_batch(MIXED, [18] * len(MIXED)), strict=True))
    assert expected[RIGHT] == Verdict(True, "tinygsm", "18", "18", "ok", frozenset())
    draw = random.Random(0)
    for size in (1, 4, len(texts)):
        draw.shuffle(texts)
        for start in range(0, len(texts), size):
            part = texts[start : start + size]
            assert verify_batch(part, [18] * len(part)) == [expected[text] for text in part]
    close()  # a new worker
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda text: verify(text, 18), texts)) == [expected[text] for text in texts]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(verify_batch, (MIXED, [18] * len(MIXED))) == list(expected.values())


def test_duplicates_are_executed_once_and_counted_each() -> None:
    before = counters()
    verdicts = verify_batch([RIGHT] * 20 + ["\\boxed{\\sqrt{4}}"] * 5, [18, 17] * 10 + [2] * 5)
    after = counters()
    assert [v.correct for v in verdicts] == [True, False] * 10 + [True] * 5
    assert after["verdicts"] - before.get("verdicts", 0) == 25
    assert after["programs"] - before.get("programs", 0) == 1
    assert after["symbolic"] - before.get("symbolic", 0) == 1


def test_counts_are_kept_with_the_training_state() -> None:
    restore_counters({"verdicts": 5, "status_timeout": 2})
    verify_batch(["def simple_math_problem():\n    while True: pass"] * 2, [18, 18])
    state = json.loads(json.dumps(counters()))
    assert (state["verdicts"], state["status_timeout"], state["program_retries"]) == (7, 4, 1)
    restore_counters(state)
    assert counters() == state


def test_a_killed_worker_is_replaced() -> None:
    for _ in range(3):
        child = worker()
        child.kill()
        assert verify(RIGHT, 18).correct
    # In the middle of a program: the program is run again.
    child = worker()
    threading.Timer(0.1, child.kill).start()
    assert verify("def simple_math_problem():\n    while True: pass", 18).status == "timeout"
    assert verify(RIGHT, 18).correct
    assert all(c.status() != psutil.STATUS_ZOMBIE for c in psutil.Process().children(recursive=True))


def test_a_thread_that_ends_does_not_take_the_worker_away() -> None:
    close()
    for _ in range(3):
        thread = threading.Thread(target=verify, args=(RIGHT, 18))
        thread.start()
        thread.join()
    assert verify(RIGHT, 18).status == "ok"


def test_close_leaves_no_process() -> None:
    verify_batch(MIXED, [18] * len(MIXED))
    children = [
        child
        for child in psutil.Process().children(recursive=True)
        if child.name() == "monty" or "symbolic_worker.py" in " ".join(child.cmdline())
    ]
    assert len(children) == 3  # the sandbox, math-verify's supervisor and its child
    close()
    assert all(gone(child.pid) for child in children)
    assert verify(RIGHT, 18).correct  # and a new one starts


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_has_its_own_worker() -> None:
    parents = worker()
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking beside threads is what is tested
        pid = os.fork()
    if pid == 0:
        try:
            verdicts = verify_batch(MIXED, [18] * len(MIXED))
            own = worker().pid
            close()
            os.write(write, f"{sum(v.correct for v in verdicts)} {own}".encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    correct, own = os.read(read, 100).decode().split()
    assert int(own) != parents.pid
    assert int(correct) == sum(v.correct for v in verify_batch(MIXED, [18] * len(MIXED)))
    assert worker().pid == parents.pid


TRAINER = f"""
import os, sys, time
from echochamber.verify import verify, verify_batch
verify_batch({MIXED!r}, [18] * {len(MIXED)})
import psutil
print(*[child.pid for child in psutil.Process().children(recursive=True)], flush=True)
{{then}}
"""


def trainer(then: str) -> tuple[subprocess.Popen, list[int]]:
    process = subprocess.Popen(
        [sys.executable, "-c", TRAINER.replace("{then}", then)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=interruptible,
    )
    return process, [int(pid) for pid in process.stdout.readline().split()]


@pytest.mark.parametrize("then", ["time.sleep(600)", "verify('def simple_math_problem():\\n    while True: pass', 1)"])
def test_workers_die_with_a_parent_that_is_killed(then: str) -> None:
    process, workers = trainer(then)
    assert len(workers) >= 2
    process.kill()
    process.wait()
    process.stdout.close()
    assert all(gone(pid) for pid in workers)


FORKED = """
pid = os.fork()
if pid == 0:
    sys.exit(0 if verify("def simple_math_problem(): return 18", 18).correct else 1)  # with all its exit handlers
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
assert verify("def simple_math_problem(): return 18", 18).correct
import multiprocessing  # (with workers that verify, as a data loader's might)
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.starmap(verify, [("so \\\\boxed{\\\\frac{36}{2}}", 18), ("<llm-code>3 * 6</llm-code>", 18)])[1].correct
"""


def test_workers_end_with_a_parent_that_forked_and_ends() -> None:
    process, workers = trainer(FORKED)
    assert process.wait() == 0
    process.stdout.close()
    assert all(gone(pid) for pid in workers)


def test_a_terminals_interrupt_reaches_the_trainer_and_not_the_workers() -> None:
    process, workers = trainer("""
try:
    print("inside", flush=True)
    time.sleep(600)
except KeyboardInterrupt:
    pass
print(verify("def simple_math_problem(): return 18", 18).correct, flush=True)
print(*[child.pid for child in psutil.Process().children(recursive=True)], flush=True)
""")
    assert process.stdout.readline() == "inside\n"
    os.killpg(process.pid, signal.SIGINT)
    assert process.stdout.readline() == "True\n"
    assert {int(pid) for pid in process.stdout.readline().split()} == set(workers)
    assert process.wait() == 0
    process.stdout.close()
    assert all(gone(pid) for pid in workers)


def test_the_wrapper_starts_from_any_path(tmp_path, monkeypatch) -> None:
    """An environment in a folder with spaces and quotes in its name, and without memfd."""
    folder = tmp_path / "my project's $HOME"
    folder.mkdir()
    python = folder / "python"
    python.symlink_to(sys.executable)
    (folder / "pyvenv.cfg").write_text("home = " + os.path.dirname(os.path.realpath(sys.executable)))
    from pydantic_monty._binary import find_monty_binary

    binary = folder / "monty"
    binary.symlink_to(find_monty_binary())
    monkeypatch.setattr(sys, "executable", str(python))
    found = launcher.launcher(str(binary))
    assert found.path != str(binary), found
    os.close(found.handle)
    monkeypatch.setattr(launcher, "_in_memory", lambda script: None)
    found = launcher.launcher(str(binary))
    assert found.path != str(binary)
    assert found.handle is None


def test_without_a_wrapper_programs_still_run_and_a_warning_names_every_wall(monkeypatch) -> None:
    monkeypatch.setattr(launcher, "WORKER", launcher.WORKER.with_name("absent.py"))
    launcher.probe.cache_clear()
    bare = Sandbox()
    try:
        with pytest.warns(RuntimeWarning, match=r"rlimits.*no_new_privs.*landlock.*seccomp"):
            assert bare.run(["3 * 6"]).value == 18
        assert set(bare.missing) == set(launcher.WALLS)
    finally:
        bare.close()
        launcher.probe.cache_clear()


def test_walls_that_the_worker_does_not_bear_are_left_out(monkeypatch, tmp_path) -> None:
    """A wrapper that starts and then kills what it starts, as a filter for another libc might."""
    fatal = tmp_path / "sandbox"
    fatal.write_text("#!/bin/sh\nkill -9 $$\n")
    fatal.chmod(0o700)
    monkeypatch.setattr(launcher, "launcher", lambda binary: launcher.Launcher(str(fatal)))
    bare = Sandbox()
    try:
        with pytest.warns(RuntimeWarning, match="seccomp"):
            assert bare.run(["3 * 6"]).value == 18
    finally:
        bare.close()


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="found 1 completions, 2 golds"):
        verify_batch(["a"], [1, 2])
    with pytest.raises(ValueError, match="allowed: executed, written, authors"):
        verify("a", 1, scorer="lenient")
    assert verify_batch([], []) == []


def test_a_pool_that_was_shut_down_is_started_again() -> None:
    """Whatever ends the pool itself, and not only its worker, costs one try."""
    pooled = Sandbox()
    try:
        assert pooled.run(["3 * 6"]).value == 18
        pooled._pool.__exit__(None, None, None)
        assert pooled.run(["3 * 6"]).value == 18
    finally:
        pooled.close()
