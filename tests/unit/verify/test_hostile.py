"""Safety: no hostile program reads, writes, connects, spawns or hangs. How often luck is rewarded: another count."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from verify_hostile import BODIES, BOXES, REACH, completions

from echochamber.verify import close, sandbox, verify, verify_batch, walls
from echochamber.verify.verdict import STATUSES

MARK, GOLD = "open sesame 7c1f", 987_654_321


def resident() -> int:
    return psutil.Process().memory_info().rss


def start_peak() -> None:
    """Forget this process's highest resident size so far (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """The highest resident size since `start_peak`, in bytes; 0 where the system does not tell."""
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
        return int(found[1]) * 1024
    return 0


@pytest.mark.timeout(240)
def test_the_corpus_is_contained(tmp_path, monkeypatch, capsys) -> None:
    """The second try of a program that ran out of time is cut short: that a real one ends is tested with `timeout`."""
    close()
    monkeypatch.setattr(sandbox, "SECONDS_RETRY", 0.3)
    monkeypatch.setattr(sandbox, "KILL_AFTER", 0.5)
    secret, target = tmp_path / "secret", tmp_path / "target"
    secret.write_text(MARK)
    monkeypatch.setenv("ECHO_TEST_SECRET", MARK)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        values = {"SECRET": str(secret), "TARGET": str(target), "PORT": str(server.getsockname()[1])}
        programs = completions({**values, "PARENT": str(os.getpid()), "GOLD": str(GOLD)})
        assert len(BODIES) >= 80
        verify("def simple_math_problem(): return 1", GOLD)  # both workers run before memory is measured
        verify("\\boxed{\\sqrt{2}}", GOLD)
        processes = set(psutil.Process().children(recursive=True))
        start_peak()
        before = largest = resident()
        statuses: dict[str, int] = {}
        for name, text in programs.items():
            verdict = verify(text, GOLD)
            largest = max(largest, resident())
            assert not verdict.correct, name
            assert verdict.status in STATUSES, name
            assert MARK not in str(verdict.answer), name
            assert not target.exists(), name
            assert secret.read_text() == MARK, name
            statuses[verdict.status] = statuses.get(verdict.status, 0) + 1
        with pytest.raises(BlockingIOError):
            server.accept()
        largest = max(largest, peak())
    spawned = set(psutil.Process().children(recursive=True)) - processes
    assert [p for p in spawned if p.name() != "monty" and "symbolic_worker" not in " ".join(p.cmdline())] == []
    assert sum(child.name() == "monty" for child in psutil.Process().children(recursive=True)) == 1
    assert largest - before < 50 * 2**20
    with capsys.disabled():
        grown = (largest - before) / 2**20
        print(f"\n  {len(programs)} hostile completions ({len(BOXES)} boxes): host +{grown:.1f} MB, {statuses}")
    assert verify("def simple_math_problem(): return 987654321", GOLD).correct
    close()  # the next test starts a worker with the real limits


def test_the_released_rules_and_notebooks_contain_them_too(tmp_path) -> None:
    """The programs that reach out; those that burn met their limits above."""
    target = tmp_path / "target"
    values = {"TARGET": str(target), "SECRET": "/etc/hostname", "PORT": "1", "PARENT": str(os.getpid())}
    made = {name: text for name, text in completions(values).items() if name in REACH}
    verdicts = verify_batch(list(made.values()), [GOLD] * len(made), scorer="authors")
    assert not any(v.correct for v in verdicts)
    cells = [f"<llm-code>\n{text}\nsimple_math_problem()\n</llm-code>" for text in made.values()]
    assert not any(v.correct for v in verify_batch(cells, [GOLD] * len(cells)))
    assert not target.exists()


def test_how_often_a_rule_rewards_a_wrong_program(capsys) -> None:
    """Containment is not correctness: a wrong program is right by accident when its value happens to be the gold.

    Programs compute from two numbers of a question with the wrong operation; golds are those of other questions. The
    rate is the collision rate of the values themselves: the verifier adds nothing to it.
    """
    draw = random.Random(0)
    texts, golds, values = [], [], []
    for _ in range(1500):
        a, b, operator = draw.randint(2, 20), draw.randint(2, 20), draw.choice("+-*")
        value = {"+": a + b, "-": a - b, "*": a * b}[operator]
        style = draw.randrange(3)
        if style == 0:
            question = f"    '''\n    {a} and {b} make how many?\n    '''\n"
            text = f"def simple_math_problem():\n{question}    return {a} {operator} {b}"
        elif style == 1:
            text = f"There are {a}, then {b}.\n<llm-code>\n{a} {operator} {b}\n</llm-code>"
        else:
            text = f"There are {a}, then {b}, so \\boxed{{{value}}}."
        texts.append(text)
        values.append(value)
        golds.append(draw.randint(2, 40))
    rewarded = [v.correct for v in verify_batch(texts, golds)]
    assert rewarded == [value == gold for value, gold in zip(values, golds, strict=True)]
    assert sum(rewarded) / len(rewarded) < 0.03
    with capsys.disabled():
        print(f"\n  right by accident: {sum(rewarded)} of {len(rewarded)} wrong completions with random golds")
    # The released rules also search the text where a program fails: numbers of the question can earn the reward.
    broken = [text.replace("return", "retrun") for text in texts if "return" in text]
    lucky = [int(text.partition("'''\n    ")[2].split()[2]) for text in broken]
    assert not any(v.correct for v in verify_batch(broken, lucky))


def test_the_walls_of_this_machine_are_reported() -> None:
    state = walls()
    assert set(state) == {"rlimits", "no_new_privs", "landlock", "seccomp"}
    close()


ESCAPE = """
import ctypes, errno, json, os, resource, socket, subprocess, sys, threading
sys.path.insert(0, FOLDER)
import worker
missing = worker.build_walls([], 0)
report = {}

def attempt(name, action):
    try:
        action()
        report[name] = "allowed"
    except OSError as error:
        report[name] = errno.errorcode[error.errno]
    except ValueError:
        report[name] = "EPERM"  # what Python makes of a limit that may not be set

libc = ctypes.CDLL(None, use_errno=True)

def call(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")

attempt("read", lambda: open("/etc/hostname"))
attempt("own environment", lambda: open("/proc/self/environ"))
attempt("write", lambda: open(TARGET, "w"))
attempt("list", lambda: os.listdir("/"))
attempt("make folder", lambda: os.mkdir(TARGET))
attempt("rename", lambda: os.rename(TARGET, TARGET + "2"))
attempt("remove", lambda: os.unlink(TARGET))
attempt("chmod", lambda: os.chmod("/tmp", 0o777))
attempt("tcp", lambda: socket.socket(socket.AF_INET))
attempt("unix", lambda: socket.socket(socket.AF_UNIX))
attempt("pair", lambda: socket.socketpair())
attempt("fork", lambda: os.fork() or os._exit(0))
attempt("spawn", lambda: subprocess.run(["/bin/true"]))
attempt("exec", lambda: os.execv("/bin/true", ["true"]))
attempt("kill parent", lambda: os.kill(os.getppid(), 0))
attempt("kill everyone", lambda: os.kill(-1, 0))
attempt("kill self", lambda: os.kill(os.getpid(), 0))
attempt("thread", lambda: threading.Thread(target=int).start())
attempt("raise limit", lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16)))
if os.uname().machine == "x86_64":
    attempt("ptrace", lambda: call(101, 16, os.getppid(), 0, 0))
    attempt("read another's memory", lambda: call(310, os.getppid(), 0, 0, 0, 0, 0))
    attempt("memory file", lambda: call(319, b"x", 0))
    attempt("io_uring", lambda: call(425, 1, ctypes.create_string_buffer(120)))
    attempt("namespace", lambda: call(272, 0x10000000))
    attempt("bpf", lambda: call(321, 0, 0, 0))
    attempt("mount", lambda: call(165, b"a", b"/", b"proc", 0, 0))
    attempt("limit of another", lambda: call(302, os.getppid(), 7, None, None))
    attempt("unknown call", lambda: call(2000))
    attempt("x32 call", lambda: call(0x40000000 + 41, 2, 1, 0))
print(json.dumps({"missing": missing, "report": report}))
"""


def test_what_the_kernel_refuses_behind_the_walls(tmp_path) -> None:
    """The same walls around a full Python: what a program could do if it broke out of the interpreter."""
    from echochamber.verify.hardening.launcher import WORKER

    code = ESCAPE.replace("FOLDER", repr(str(WORKER.parent))).replace("TARGET", repr(str(tmp_path / "x")))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    if result["missing"]:
        pytest.skip(f"this kernel lacks {result['missing']}")
    report = result["report"]
    allowed = {name for name, outcome in report.items() if outcome == "allowed"}
    assert allowed == {"kill self", "thread"}, report
    assert report["unknown call"] == "ENOSYS" if "unknown call" in report else True
