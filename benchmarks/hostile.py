"""How long a batch of hostile answers takes, and how soon it stops: all different, each made to meet a limit.

    python benchmarks/hostile.py [--count 512] [--interrupt 3]

The last line of output is JSON: seconds and statuses of one batch of boxes and of one of programs, and the seconds from
a signal (Ctrl-C; a job's SIGTERM), `--interrupt` seconds into such a batch, to the end of the process.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

from echochamber.verify import close, verify, verify_batch
from echochamber.verify.batch import THREADS

TOWERS = (
    "9^{{9^{{{n}}}}}",
    "\\pi^{{\\pi^{{\\pi^{{{n}}}}}}}",
    "e^{{10^{{{n}}}}}",
    "2.5^{{{n}00000000}}",
    "2^{{{n}00000000}}-1",
)
SLOW = ("\\sum_{{k=1}}^{{10^{{9}}+{n}}} \\sin(k^k)", "\\prod_{{k=1}}^{{10^{{9}}+{n}}} (k^2+1)", "{n}00000!", "1e{n}999")
PROGRAMS = (
    "while True: pass",
    "return sum(i * i for i in range(10**10))",
    "x = 'a'\n    while True: x = x[::-1]",
    "return 7 ** (7 ** 12)",
)

WITHIN = """
import signal, sys
sys.path.insert(0, {here!r})
import hostile
from echochamber.errors import Interrupted
from echochamber.verify import verify, verify_batch
stop = []
if {job}:
    signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
else:
    signal.signal(signal.SIGINT, signal.default_int_handler)
verify("\\\\boxed{{\\\\sqrt{{2}}}}", 18)
verify("def simple_math_problem(): return 18", 18)
print("ready", flush=True)
try:
    verify_batch(hostile.{kind}({count}), [18] * {count}, stop=lambda: bool(stop))
except (KeyboardInterrupt, Interrupted):
    print("stopped", flush=True)
"""


def boxes(count: int) -> list[str]:
    """Completions whose boxes cost time or memory, no two the same."""
    forms = TOWERS + SLOW
    return [f"So it is \\boxed{{{forms[i % len(forms)].format(n=i + 10)}}}." for i in range(count)]


def programs(count: int) -> list[str]:
    """Completions whose programs do not end, no two the same."""
    return [f"def simple_math_problem():\n    n = {i}\n    {PROGRAMS[i % len(PROGRAMS)]}" for i in range(count)]


def stopped(kind: str, count: int, number: signal.Signals, after: float) -> float:
    """Seconds from a signal to the end of a process that verifies such a batch."""
    folder = os.path.dirname(os.path.abspath(__file__))
    code = WITHIN.format(kind=kind, count=count, here=folder, job=number == signal.SIGTERM)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout.readline() == "ready\n"
    time.sleep(after)
    started = time.monotonic()
    os.killpg(process.pid, number)
    assert process.stdout.read() == "stopped\n", "the batch was done before the signal"
    process.wait()
    return round(time.monotonic() - started, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=512, help="completions of a batch (default: %(default)s)")
    parser.add_argument(
        "--interrupt", type=float, default=3.0, help="seconds before the signals (default: %(default)s)"
    )
    options = parser.parse_args()
    verify("\\boxed{\\sqrt{2}}", 18)
    verify("def simple_math_problem(): return 18", 18)
    result: dict[str, object] = {"completions": options.count, "threads": THREADS, "cores": os.cpu_count()}
    for kind, texts in (("boxes", boxes(options.count)), ("programs", programs(options.count))):
        started = time.monotonic()
        verdicts = verify_batch(texts, [18] * len(texts))
        result[f"{kind}_seconds"] = round(time.monotonic() - started, 2)
        result[f"{kind}_statuses"] = dict(Counter(one.status for one in verdicts))
        result[f"{kind}_correct"] = sum(one.correct for one in verdicts)
        for number in (signal.SIGINT, signal.SIGTERM):
            result[f"{kind}_{number.name}_seconds"] = stopped(kind, options.count, number, options.interrupt)
    result["load_average"] = round(os.getloadavg()[0], 1)
    close()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
