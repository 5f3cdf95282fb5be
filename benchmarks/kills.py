"""SIGKILL at random moments, many times: does every interrupted run end in the numbers of an undisturbed one?

    python benchmarks/kills.py [--kills 50] [--seed 0]

For each of pretraining, PPO, GRPO and Expert Iteration (toys of a few seconds, with the real checkpoint code): kill,
resume, kill, and whenever a run has come to its end, compare its metrics, final weights and kept checkpoints bit for
bit. Every fifth kill is inside a checkpoint write: with half of a state written, between its two renames, or with half
of a kept checkpoint. What tests/unit/test_kill.py does five times.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests/support"))

from nursery import KINDS, Nursery, outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    result = {}
    with Nursery() as nursery, tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            result[kind] = kill_many(nursery, Path(folder) / kind, kind, args.kills, args.seed)
            print(kind, result[kind], flush=True)
    print(json.dumps({"benchmark": "kills", **result}))
    sys.exit(any(seen["runs_that_differ"] for seen in result.values()))


def kill_many(nursery: Nursery, base: Path, kind: str, wanted: int, seed: int) -> dict[str, int]:
    """Kill runs of `kind` until `wanted` kills have hit; gives how many, and how many finished runs differ."""
    started = time.monotonic()
    if nursery.run(kind, base / "undisturbed") != 0:
        raise SystemExit(f"{kind}: the undisturbed run failed")
    seconds = time.monotonic() - started
    expected = outcome(base / "undisturbed")
    draw = random.Random(f"{seed} {kind}")
    kills = inside = runs = different = 0
    status = 0
    while kills < wanted or status != 0:  # the last run is let come to its end
        run_folder = base / str(runs)
        fatal = None
        if kills < wanted and kills % 5 == 4:
            fatal = {"write": draw.randint(1, 3), "at": draw.choice(["half", "rotated", "kept"])}
        child = nursery.start(kind, run_folder, fatal)
        if kills < wanted and not fatal:
            time.sleep(draw.uniform(0.02, 0.4) * seconds)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        status = nursery.wait()
        if status == -signal.SIGKILL:
            kills += 1
            inside += fatal is not None
        elif status == 0:
            runs += 1
            different += outcome(run_folder) != expected
        else:
            raise SystemExit(f"{kind}: found exit status {status}, allowed: 0, or killed")
    return {"kills": kills, "inside_a_checkpoint_write": inside, "runs": runs, "runs_that_differ": different}


main()
