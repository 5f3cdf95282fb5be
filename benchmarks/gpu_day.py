"""Everything that docs/performance.md says of a GPU, measured in one command of at most nine minutes.

    python benchmarks/gpu_day.py --out gpu-day                needs a CUDA device
    python benchmarks/gpu_day.py --out gpu-day --tiny         any device: toys in the place of models: does it run?
    python benchmarks/gpu_day.py --out gpu-day --only rl grid some of the steps

Steps run one after the other, each with a limit of its own, the most wanted first; what the clock leaves no room for
is said to be left out. `--out` gets a log of each step, gpu-day.json (every step's result, the card, versions) and
gpu-day.md, a table. The grid's step ends as many jobs of config/gpu.yaml as it can and tells how far it came.

A machine without a network needs, beside torch, the wheels that requirements.lock names; docs/performance.md says how.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

from echochamber.jobs.files import write_json, write_text
from echochamber.jobs.job import git_commit, versions
from echochamber.models import device as devices

ROOT = Path(__file__).parents[1]
LEAST = 10.0
"""Seconds without which a step is not begun."""
GRACE = 20.0
"""Seconds in which a step that is over its limit may end by itself."""


@dataclass(frozen=True)
class Step:
    """One measurement in a process of its own: arguments of the Python that runs this."""

    name: str
    seconds: float
    """Its limit."""
    command: str
    tiny: str
    """The same with toys."""


PAPER = "--grid config/paper.yaml --rounds 1"
STEPS = (
    Step(
        "rl",
        110,
        "benchmarks/gpu_rl.py --rounds 2",
        "benchmarks/gpu_rl.py --tiny --rounds 1 --prompts 4 --new-tokens 32",
    ),
    Step(
        "pretrain-150m",
        70,
        f"benchmarks/pretrain.py {PAPER} --scale 150m --batch-rows 128 --steps 6",
        "benchmarks/pretrain.py --steps 2 --rounds 1",
    ),
    Step(
        "pretrain-1b",
        60,
        f"benchmarks/pretrain.py {PAPER} --scale 1b --batch-rows 32 --steps 4 --no-peer",
        "benchmarks/pretrain.py --scale pico --steps 2 --rounds 1 --no-peer",
    ),
    Step(
        "grid",
        250,
        "-m snakemake --scheduler greedy --cores all --configfile config/gpu.yaml",
        "-m snakemake -n --configfile config/gpu.yaml",
    ),
    Step(
        "tests",
        60,
        "-m pytest -q -k gpu tests/unit/sampling tests/unit/models",
        "-m pytest -q -k gpu tests/unit/models/test_packed.py",
    ),
    Step(
        "rl-trl",
        100,
        "benchmarks/rl_step.py --fresh 150m --rounds 1 --max-new-tokens 512",
        "benchmarks/rl_step.py --fresh toy --rounds 1 --prompts 8 --max-new-tokens 16",
    ),
)


@dataclass
class Outcome:
    """What came of a step."""

    step: str
    said: str
    """`done`, `failed with N`, `over its limit`, or `left out: no time`."""
    seconds: float = 0.0
    result: dict = field(default_factory=dict)
    """The JSON that its last line was; of the grid and the tests, what their last lines say."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of logs, JSON and table")
    parser.add_argument("--minutes", type=float, default=9.0, help="for all steps together (default: 9)")
    parser.add_argument("--only", nargs="*", default=[step.name for step in STEPS], metavar="STEP", help="these steps")
    parser.add_argument("--tiny", action="store_true", help="toys on any device: shows that it runs, measures nothing")
    arguments = parser.parse_args()
    device = devices.pick()
    if device.type != "cuda" and not arguments.tiny:
        sys.exit(f"gpu_day: found the device {devices.name(device)}, allowed: a CUDA device, or --tiny")
    unknown = sorted({*arguments.only} - {step.name for step in STEPS})
    if unknown:
        parser.error(f"--only: found {unknown[0]}, allowed: {', '.join(step.name for step in STEPS)}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + 60 * arguments.minutes
    outcomes = []
    for step in STEPS:
        if step.name in arguments.only:
            outcomes.append(measure(step, arguments.out, deadline, tiny=arguments.tiny))
            print(f"{step.name}: {outcomes[-1].said}, {outcomes[-1].seconds:.0f} s", flush=True)
            write(arguments.out, outcomes, devices.name(device), tiny=arguments.tiny)
    print(json.dumps({outcome.step: outcome.result for outcome in outcomes}))
    sys.exit(any(outcome.said.startswith("failed") for outcome in outcomes))


def measure(step: Step, out: Path, deadline: float, *, tiny: bool) -> Outcome:
    """Run a step to its end or its limit, its output in `out`/<step>.log."""
    limit = min(step.seconds, deadline - time.monotonic() - GRACE)
    if limit < LEAST:
        return Outcome(step.name, "left out: no time")
    log, started = out / f"{step.name}.log", time.monotonic()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    with log.open("wb") as file:
        child = subprocess.Popen(
            [sys.executable, *(step.tiny if tiny else step.command).split()],
            cwd=ROOT,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        said = ""
        for sent in (signal.SIGTERM, signal.SIGKILL):
            try:
                child.wait(limit)
                break
            except subprocess.TimeoutExpired:
                said, limit = "over its limit", GRACE
                os.killpg(child.pid, sent)
        code = child.wait()
    said = said or ("done" if code == 0 else f"failed with {code}")
    text = log.read_text(encoding="utf-8", errors="replace")
    return Outcome(step.name, said, time.monotonic() - started, result(step.name, text))


def result(name: str, text: str) -> dict:
    """What a step's output says: its last line as JSON, the grid's jobs, or the tests' counts."""
    if name == "grid":
        jobs = re.findall(r"^\[ *(\d+)/(\d+)\]", text, re.MULTILINE)
        return {"jobs_done": int(jobs[-1][0]), "jobs": int(jobs[-1][1])} if jobs else {}
    if name == "tests":
        return {word: int(count) for count, word in re.findall(r"(\d+) (passed|failed|skipped)", text)}
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            return json.loads(line)
    return {}


FIGURES = {
    "rl": (
        ("sampling, tokens/s", ("decoding", "tokens_per_second")),
        ("the same, share of what the memory's bandwidth allows", ("decoding", "share_of_bandwidth_limit")),
        ("GRPO step, s", ("rl_step", "grpo", "seconds")),
        ("of it generation, s", ("rl_step", "grpo", "seconds_generate")),
        ("of it update, s", ("rl_step", "grpo", "seconds_update")),
        ("PPO step, s", ("rl_step", "ppo", "seconds")),
        ("of it generation, s", ("rl_step", "ppo", "seconds_generate")),
        ("of it update, s", ("rl_step", "ppo", "seconds_update")),
        ("most memory, GRPO, bytes", ("rl_step", "grpo", "peak_bytes")),
        ("most memory, PPO, bytes", ("rl_step", "ppo", "peak_bytes")),
    ),
    **{
        f"pretrain-{size}": (
            (f"pretraining {size}, tokens/s", ("tokens_per_second", "echochamber")),
            ("the same, MFU", ("mfu", "echochamber")),
            ("the same, times transformers.Trainer", ("ratio",)),
            ("most memory, bytes", ("peak_bytes",)),
        )
        for size in ("150m", "1b")
    },
    "grid": (("config/gpu.yaml, jobs done", ("jobs_done",)), ("of", ("jobs",))),
    "tests": (("GPU tests passed", ("passed",)), ("failed", ("failed",)), ("skipped", ("skipped",))),
    "rl-trl": (("GRPO step, times TRL (transformers' generate)", ("ratio",)),),
}
"""Rows of the table: what, and where in the step's result."""


def write(out: Path, outcomes: list[Outcome], card: str, *, tiny: bool) -> None:
    """gpu-day.json and gpu-day.md, anew after every step: what is measured is not lost with the machine."""
    about = {"device": card, "tiny": tiny, "git_commit": git_commit(), "versions": versions()}
    about |= {"cuda": torch.version.cuda}
    write_json(out / "gpu-day.json", about | {"steps": [vars(outcome) for outcome in outcomes]})
    head = f"{card}, torch {torch.__version__}{', toys: no measurement' if tiny else ''}"
    lines = [head, "", "| step | what | measured |", "|---|---|---|"]
    for outcome in outcomes:
        lines.append(f"| {outcome.step} | {outcome.said} | {outcome.seconds:.0f} s |")
        for words, path in FIGURES[outcome.step]:
            value: object = outcome.result
            for key in path:
                value = value.get(key) if isinstance(value, dict) else None
            if value is not None:
                lines.append(f"| | {words} | {value:.4g} |" if isinstance(value, float) else f"| | {words} | {value} |")
    write_text(out / "gpu-day.md", "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
