"""How fast the verifier is, on one core, beside what it replaces: `exec` in the trainer's process and math-verify.

    python benchmarks/verify.py [--core N] [--seconds 5] [--rollout FILE.jsonl]

The last line of output is JSON: rates per second of the clock (the best of many short chunks) and of processor time
(workers included; what a busy machine leaves comparable), and ratios to the baseline. `--rollout` takes a real rollout
batch (lines with `completion` and `gold`); without it one is drawn as `BATCH` says. The baseline is unsafe: give it no
rollout that you would not run yourself.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import math_verify
import psutil

from echochamber.verify import close, counters, restore_counters, verify_batch, walls

PROGRAMS = 2000
BOXES = 20_000
BATCH = {"prompts": 64, "samples": 8, "tinygsm": 0.30, "omi1": 0.25, "omi2": 0.39, "broken": 0.06, "duplicates": 4}
"""A rollout batch of the demo's base model at temperature 1 (64 training prompts x 8, 508 distinct completions):
shares of the formats, of programs that do not parse, and the number of duplicates."""


def programs(count: int, seed: int = 0) -> tuple[list[str], list[int]]:
    """Unique TinyGSM-style completions and their golds, half of which are right."""
    draw, texts, golds = random.Random(seed), [], []
    for i in range(count):
        a, b, c = draw.randint(2, 99), draw.randint(2, 99), draw.randint(2, 9)
        texts.append(
            f"def simple_math_problem() -> int:\n    '''\n    Sarah buys {a} trays and {b} cases in week {i}.\n"
            f"    Each tray costs ${c}. What is the total?\n    '''\n    # the numbers of the question\n"
            f"    trays = {a}\n    cases = {b}\n    cost = {c}\n    total_cost = trays * cost + cases\n"
            f"    result = total_cost\n    return result"
        )
        golds.append(a * c + b if i % 2 else a * c)
    return texts, golds


def boxes(count: int, seed: int = 0) -> tuple[list[str], list[int]]:
    """Unique natural-language completions that end in a boxed integer, and their golds, half of which are right."""
    draw, texts, golds = random.Random(seed), [], []
    for i in range(count):
        a, b = draw.randint(2, 99), draw.randint(2, 99)
        texts.append(
            f"Tom has ${a}$ books in room {i} and buys ${b}$ more.\nSo he has ${a} + {b} = {a + b}$ books.\n"
            f"Therefore Tom has \\boxed{{{a + b}}} books."
        )
        golds.append(a + b if i % 2 else a)
    return texts, golds


def rollout(seed: int = 0) -> tuple[list[str], list[int]]:
    """A synthetic rollout batch, prompt-major: see `BATCH`."""
    draw, texts, golds = random.Random(seed), [], []
    for prompt in range(BATCH["prompts"]):
        a, b = draw.randint(2, 20), draw.randint(2, 20)
        texts += [completion(draw, a, b, prompt) for _ in range(BATCH["samples"])]
        golds += [a * b] * BATCH["samples"]
    for prompt in draw.sample(range(BATCH["prompts"]), BATCH["duplicates"]):
        first = prompt * BATCH["samples"]
        texts[first + 1] = texts[first]
    return texts, golds


def completion(draw: random.Random, a: int, b: int, prompt: int) -> str:
    """One completion of the question what `a` times `b` is, right more often than not, told apart by a remark."""
    prompt = f"{prompt}.{draw.randrange(10**6)}"
    value, guess = a * b, draw.choice([a * b, a * b, a + b, a * b + draw.randint(1, 9)])
    form = draw.choices(
        ["tinygsm", "omi1", "omi2", "broken"], [BATCH[k] for k in ("tinygsm", "omi1", "omi2", "broken")]
    )[0]
    if form == "tinygsm":
        operator = "*" if guess == value else "+"
        return (
            f"def simple_math_problem() -> int:\n    '''\n    Ann has {a} bags of {b} ({prompt}).\n    '''\n"
            f"    bags = {a + draw.choice([0, 0, 0, 1])}\n    each = {b}\n"
            f"    total = bags {operator} each\n    return total"
        )
    if form == "omi1":
        return (
            f"Let's solve it with Python ({prompt}).\n<llm-code>\n"
            f"bags = {a + draw.choice([0, 0, 0, 1])}\nbags * {b}\n</llm-code>\n"
            f"<llm-code-output>\n{guess}\n</llm-code-output>\nSo Ann has \\boxed{{{guess}}} pens."
        )
    if form == "omi2":
        return f"Ann has ${a} \\cdot {b} = {guess}$ pens ({prompt}). So Ann has \\boxed{{{guess}}} pens."
    return f"def simple_math_problem() -> int:\n    bags = {a} {b}\n    return bags *"


def baseline(texts: Sequence[str], golds: Sequence[int]) -> list[bool]:
    """What the verifier replaces: `exec` in this process, then math-verify on the value or on the whole text."""
    correct = []
    for text, gold in zip(texts, golds, strict=True):
        said = text
        with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
            names: dict = {}
            if "<llm-code>" in text:
                code = text.partition("<llm-code>")[2].partition("</llm-code>")[0].strip()
                exec(code, names)
                said = str(eval(code.rpartition("\n")[2], names))
            elif text.startswith("def "):
                exec(text, names)
                said = str(names["simple_math_problem"]())
        wanted = math_verify.parse(str(gold), parsing_timeout=None)
        target = math_verify.parse(said, parsing_timeout=None)
        correct.append(math_verify.verify(wanted, target, timeout_seconds=None))
    return correct


def execute(texts: Sequence[str]) -> None:
    """Plain `exec` and call: the floor that no sandbox reaches."""
    for text in texts:
        names: dict = {}
        exec(text, names)
        names["simple_math_problem"]()


def cpu_seconds() -> float:
    """Processor time of this process and of its workers so far."""
    process = psutil.Process()
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(t.user + t.system for t in times)


def rate(work: Callable[[slice], object], count: int, seconds: float, chunk: int) -> tuple[float, float]:
    """Items a second of the clock, the best of many short chunks (other load on the machine only ever slows one), and
    items a second of processor time, over all of them."""
    best, done, start, cpu = 0.0, 0, time.perf_counter(), cpu_seconds()
    while time.perf_counter() - start < seconds:
        part = slice(done % count, done % count + chunk)
        begin = time.perf_counter()
        work(part)
        best = max(best, (min(part.stop, count) - part.start) / (time.perf_counter() - begin))
        done += min(part.stop, count) - part.start
    return best, done / (cpu_seconds() - cpu)


def compare(name: str, texts: list[str], golds: list, seconds: float, chunk: int) -> dict[str, float]:
    """Rates of `verify_batch` and of the baseline on the same completions, and their ratios."""
    verify_batch(texts[:chunk], golds[:chunk])
    ours, ours_cpu = rate(lambda part: verify_batch(texts[part], golds[part]), len(texts), seconds, chunk)
    theirs, theirs_cpu = rate(lambda part: baseline(texts[part], golds[part]), len(texts), seconds, min(chunk, 64))
    return {
        f"{name}_per_second": round(ours),
        f"{name}_per_cpu_second": round(ours_cpu),
        f"{name}_baseline_per_second": round(theirs),
        f"{name}_baseline_per_cpu_second": round(theirs_cpu),
        f"{name}_ratio": round(ours / theirs, 1),
        f"{name}_cpu_ratio": round(ours_cpu / theirs_cpu, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--core", type=int, help="the core to stay on (default: the last one that is allowed)")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each of the eight measurements")
    parser.add_argument("--rollout", type=Path, help="a real rollout batch: lines with completion and gold")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0)) if options.core is None else options.core})
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)

    result: dict = {"walls": walls()}
    texts, golds = programs(PROGRAMS)
    result |= compare("programs", texts, golds, options.seconds, chunk=100)
    floor = rate(lambda part: execute(texts[part]), PROGRAMS, options.seconds / 5, chunk=100)
    result["exec_only_per_second"] = round(floor[0])
    result |= compare("boxed_numbers", *boxes(BOXES), options.seconds, chunk=1000)
    if options.rollout:
        rows = [json.loads(line) for line in options.rollout.read_text(encoding="utf-8").splitlines() if line.strip()]
        texts, golds = [row["completion"] for row in rows], [row["gold"] for row in rows]
    else:
        texts, golds = rollout()
    result |= compare("rollout", texts, golds, options.seconds, chunk=len(texts))
    restore_counters({})
    verdicts = verify_batch(texts, golds)
    result["rollout_completions"], result["rollout_distinct"] = len(texts), len(set(texts))
    result["rollout_programs_run"] = counters().get("programs", 0)
    result["rollout_formats"] = dict(Counter(v.format for v in verdicts))
    result["rollout_seconds"] = round(len(texts) / result["rollout_per_second"], 3)
    result["load_average"] = round(os.getloadavg()[0], 1)
    close()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
