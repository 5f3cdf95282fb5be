"""SIGKILL at random moments, many times: does every interrupted RL run end in the numbers of an undisturbed one?

    python benchmarks/kills.py [--kills 50] [--seed 0]

For each of PPO, GRPO and Expert Iteration (toys of a few seconds, with the real checkpoint code): kill, resume, kill,
and whenever a run has come to its end, compare its metrics, final weights and kept checkpoints bit for bit. What
tests/unit/test_rl_kill.py does five times.
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

sys.path.insert(0, str(Path(__file__).parent.parent / "tests/unit"))

import torch
from rl_nursery import ALGORITHMS, Nursery


def contents(folder: Path) -> dict:
    """Everything that must not depend on interruptions."""
    done = torch.load(folder / "done.pt", weights_only=True)
    kept = {path.parent.name: path.read_bytes() for path in folder.glob("checkpoints/step_*/model.safetensors")}
    return {"metrics": done["metrics"], "weights": done["weights"], "kept": kept}


def same(one: dict, other: dict) -> bool:
    weights = all(torch.equal(one["weights"][name], other["weights"][name]) for name in other["weights"])
    return weights and one["metrics"] == other["metrics"] and one["kept"] == other["kept"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    found = parser.parse_args()
    result = {}
    with Nursery() as nursery, tempfile.TemporaryDirectory() as place:
        for algorithm in ALGORITHMS:
            base = Path(place) / algorithm
            started = time.monotonic()
            assert nursery.run(algorithm, base / "undisturbed") == 0
            seconds = time.monotonic() - started
            expected = contents(base / "undisturbed")
            draw = random.Random(f"{found.seed} {algorithm}")
            kills = runs = different = 0
            finishing = False
            while kills < found.kills or finishing:
                here = base / str(runs)
                child = nursery.start(algorithm, here)
                if kills < found.kills:
                    time.sleep(draw.uniform(0.02, 0.4) * seconds)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(child, signal.SIGKILL)
                status = nursery.wait()
                finishing = status != 0
                if status == -signal.SIGKILL:
                    kills += 1
                elif status == 0:
                    runs += 1
                    different += not same(contents(here), expected)
                else:
                    raise SystemExit(f"{algorithm}: found exit status {status}, allowed: 0, or killed")
            result[algorithm] = {"kills": kills, "runs": runs, "runs_that_differ": different}
            print(algorithm, result[algorithm], flush=True)
    print(json.dumps({"benchmark": "kills", **result}))
    sys.exit(any(seen["runs_that_differ"] for seen in result.values()))


main()
