"""A mixture of 100 million tokens, from files through the start of training: memory of each step, and the order.

    python benchmarks/big_mixture.py [--tokens 100000000] [--shards 2]

Two sources in the hub's layouts (JSON lines and compressed JSON lines) go through the workflow's own scripts, one after
the other; the peak of memory is the kernel's, of each process. Then every row of two passes over one source and one
over the other is counted in the seeded order. The last line of the output is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import zstandard

from echochamber.data.mixture import Batches
from echochamber.data.tokenizer import train_bpe
from echochamber.settings import HubSource, Pretraining, Scale

ROOT = Path(__file__).resolve().parent.parent
LENGTH, ROWS = 512, 64
PASSES = {"tg": 2, "as": 1}


def texts(count: int, seed: int):
    """Short documents with random numbers, of about 100 tokens each."""
    rng = random.Random(seed)
    for _ in range(count):
        a, b, c = rng.randint(2, 999), rng.randint(2, 999), rng.randint(2, 99)
        yield (
            f"Ann has {a} pens, Ben has {b} pens more, and each of {c} boxes holds as many. How many pens are there?",
            f"def simple_math_problem() -> int:\n    pens = {a} + {b}\n    result = pens * {c}\n    return result",
        )


class Steps:
    """Runs the workflow's scripts; keeps the peak memory and the seconds of each."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.peaks, self.seconds = folder, {}, {}

    def run(self, name: str, script: str, spec: dict, out: str, until: str | None = None) -> None:
        command = [
            sys.executable,
            str(ROOT / f"workflow_scripts/{script}.py"),
            "--spec",
            json.dumps(spec),
            "--out",
            out,
        ]
        command += ["--log", f"{out}.log"]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "ECHO_DEVICE": "cpu"}
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=self.folder, env=environment)
        log, asked, peak = self.folder / f"{out}.log", False, 0
        while process.poll() is None:
            peak = max(peak, _high_water(process.pid))
            if until and not asked and log.exists() and until in log.read_text(encoding="utf-8"):
                process.send_signal(signal.SIGTERM)  # it has begun: that is enough
                asked = True
            time.sleep(0.05)
        assert process.returncode in ((0, 75) if until else (0,)), log.read_text(encoding="utf-8")
        self.peaks[name] = max(self.peaks.get(name, 0), peak)
        self.seconds[name] = self.seconds.get(name, 0) + time.perf_counter() - started
        print(f"{name}: {self.seconds[name]:.1f} s, {self.peaks[name] / 1e6:.0f} MB", flush=True)


def _high_water(pid: int) -> int:
    """The most memory that a process has held so far, in bytes (Linux)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, IndexError):  # it has just ended
        return 0


def visits(batches: Batches, passes: list[int]) -> bool:
    """Whether the order visits each unit of each source exactly as often as its passes say."""
    counts = [np.zeros(units, dtype=np.int64) for units in batches.units]
    for begin in range(0, batches.size, 1 << 18):
        sources, units = batches._numbers(np.arange(begin, min(begin + (1 << 18), batches.size)))
        for number, count in enumerate(counts):
            np.add.at(count, units[sources == number], 1)
    return all((count == times).all() for count, times in zip(counts, passes, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=100_000_000, help="of the mixture, after the passes")
    parser.add_argument("--shards", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tokenizer = train_bpe(["\n\n".join(pair) for pair in texts(2000, 0)], 1000)
        tokenizer.save_pretrained(folder / "tokenizer")
        per_document = np.mean([len(tokenizer("\n\n".join(pair)).input_ids) + 1 for pair in texts(500, 1)])
        documents = int(args.tokens / per_document / 3)
        (folder / "as/algebraic-stack/train").mkdir(parents=True)
        (folder / "tg").mkdir()
        with (folder / "tg/train.jsonl").open("w", encoding="utf-8") as file:
            for question, code in texts(documents, 2):
                file.write(json.dumps({"question": question, "code": code}) + "\n")
        for part in range(args.shards):
            with zstandard.open(folder / f"as/algebraic-stack/train/{part}.jsonl.zst", "wt", encoding="utf-8") as file:
                for pair in texts(documents // args.shards, 3 + part):
                    file.write(json.dumps({"text": "\n\n".join(pair)}) + "\n")
        steps = Steps(folder)
        for source, dataset in (("tg", "tinygsm"), ("as", "algebraic-stack")):
            settings = HubSource(kind="hub", dataset=dataset, path=source, shards=args.shards).model_dump(mode="json")
            spec = {"source": source, "settings": settings, "held_out_documents": 64}
            spec |= {"version": 0}
            for shard in range(args.shards):
                steps.run(
                    "tokenise a shard",
                    "tokenize_corpus",
                    spec | {"shard": shard, "tokenizer": "tokenizer"},
                    f"corpora/{source}",
                )
            steps.run("join the shards", "join_corpus", spec, f"corpora/{source}")
        spec = {"version": 0, "passes": PASSES, "corpora": {s: f"corpora/{s}" for s in PASSES}, "background": ["as"]}
        steps.run("mixture", "make_mixture", spec, "mixtures/m")
        mixture = json.loads((folder / "mixtures/m.json").read_text(encoding="utf-8"))
        order, seconds = {}, {}
        os.chdir(folder)
        for packing in ("concatenate", "document"):
            settings = Pretraining(
                sequence_length=LENGTH, batch_rows=ROWS, packing=packing, precision="fp32", log_every=1
            ).model_dump(mode="json")
            scale = Scale(width=32, layers=1, heads=2, intermediate=64).model_dump(mode="json")
            spec = {
                "version": 0,
                "scale": scale,
                "settings": settings,
                "seed": 0,
                "stream": "big",
                "mixture": "mixtures/m.json",
            }
            spec |= {"tokenizer": "tokenizer"}
            steps.run(f"start of training, {packing}", "pretrain", spec, f"models/{packing}", until=" step ")
            started = time.perf_counter()
            batches = Batches(mixture, length=LENGTH, rows=ROWS, packing=packing, seed=0, pad=1)
            seconds[packing] = time.perf_counter() - started
            order[packing] = visits(batches, [source["passes"] for source in mixture["sources"].values()])
            print(f"{packing}: {batches.size} places, {len(batches)} batches, in order: {order[packing]}", flush=True)
        os.chdir(ROOT)
        result = {
            "benchmark": "big_mixture",
            "tokens": mixture["tokens"],
            "documents": sum(source["documents"] for source in mixture["sources"].values()),
            "peak_bytes": steps.peaks,
            "under_2_GB": max(steps.peaks.values()) < 2e9,
            "seconds": {key: round(value, 1) for key, value in steps.seconds.items()},
            "each_visited_as_often_as_its_passes": order,
            "seconds_to_find_batches": seconds,
            "load_average": os.getloadavg()[0],
        }
    print(json.dumps(result))


main()
