"""Memory and time of making tables: jobs that measure synthetic evaluations, and those that join them.

    .venv/bin/python benchmarks/tables.py [--evaluations 20 40] [--completions 10000] [--questions 100]

A run has an evaluation of `--completions` completions at five checkpoints; every ten runs have a base model, which is
evaluated at one; a study has a fifth of the runs. The whole: `--evaluations 250 500`, 5 million completions. A job is
a process of its own, as the rules start it; seconds are those of its processor. The limit is 1 GB in any
job. The last line of the output is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import child
import numpy as np
import pandas as pd

from echochamber.formats import FORMATS, RULES
from echochamber.grid import parsing
from echochamber.grid.expansion import Grid
from echochamber.grid.ids import Model
from echochamber.jobs.spec import Spec

ROOT = Path(__file__).parents[1]
LIMIT_MB = 1000
STEPS = 5
PEOPLE = ("Ann", "Ben", "Mia", "Tom")


def grid_of(folder: Path, evaluations: int, completions: int, questions: int) -> Grid:
    """Ten runs from each model, in studies of one RL seed each; as many evaluations as asked for, of both together."""
    config = parsing.read(ROOT / "config/demo.yaml")
    models = max(1, round(evaluations / 11))
    config["name"] = f"evaluations-{evaluations}"
    config["benchmarks"]["asked"] |= {"samples": completions // (questions * STEPS) - 1}
    study = {"title": "?", "mixtures": ["tgw+omi2.2"], "scales": ["nano"], "model_seeds": list(range(models))}
    study |= {"algorithms": ["ppo", "grpo"], "prompts": ["asked"], "benchmarks": ["asked"]}
    config["studies"] = {f"seed{seed}": study | {"run_seeds": [seed]} for seed in range(5)}
    config |= {"primary": {}}
    file = folder / "grid.yaml"
    file.write_text(json.dumps(config), encoding="utf-8")
    return parsing.load(file, folder / "results")


def texts(rng: np.random.Generator, count: int) -> np.ndarray:
    """Completions of five formats, all of them different, so that none is judged for another."""
    a, b = rng.integers(2, 99, (2, count))
    return np.array(
        [
            (
                f"def simple_math_problem() -> int:\n    x = {i} + {j}\n    result = x\n    return result",
                f"We add.\n<llm-code>\nx = {i} + {j}\nx\n</llm-code>\n<llm-code-output>\n{i + j}\n</llm-code-output>\n"
                f"So \\boxed{{{i + j}}} pens.",
                f"{PEOPLE[i % 4]} has ${i} + {j} = {i + j}$ pens.\n\nThe answer is $\\boxed{{{i + j}}}$.",
                f"{PEOPLE[i % 4]} has {i} pens, then {j}.",
                f"def def <llm-code> {i} {j}",
            )[kind]
            for i, j, kind in zip(a, b, np.arange(count) % 5, strict=True)
        ],
        dtype=object,
    )


def samples(id: str, benchmark: str, steps: list[int], questions: int, n: int, seed: int) -> pd.DataFrame:
    """samples.parquet: one greedy and n sampled completions a question and step."""
    rng = np.random.default_rng(seed)
    parts = []
    for step in steps:
        for mode, each in (("greedy", 1), ("sample", n)):
            count = questions * each
            right = rng.random(count) < 0.4
            answer = np.where(right, "7", rng.integers(8, 40, count).astype(str))
            names = np.array(FORMATS, dtype=object)[np.arange(count) % 5]
            columns = {
                "id": id,
                "step": step,
                "question_set": benchmark,
                "question_id": np.repeat([f"q{i:05d}" for i in range(questions)], each),
                "mode": mode,
                "sample": np.tile(np.arange(each), questions),
                "temperature": 0.7,
                "top_p": 0.95,
                "completion": texts(rng, count),
                "tokens": rng.integers(20, 80, count),
                "finished": rng.random(count) < 0.95,
                "logprob": -rng.gamma(3.0, size=count),
                "format": names,
                "format_authors": names,
                "flags": "",
            }
            for rule in RULES:
                columns |= {f"correct_{rule}": right, f"answer_{rule}": answer, f"answer_key_{rule}": answer}
                columns[f"status_{rule}"] = "ok"
            parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def fabricate(grid: Grid, completions: int, questions: int) -> int:
    """Write what the jobs read; give the number of completions."""
    graph = {
        "nodes": [
            {"operation": "given", "inputs": [], "number": 3, "value": 3},
            {"operation": "buy", "inputs": [0], "number": 4, "value": 7},
        ]
    }
    asked = [
        {"question_id": f"q{i:05d}", "question": f"Ann has {i} pens and buys 4.", "answer": "7", "graph": graph}
        for i in range(questions)
    ]
    for file in grid.question_files:
        path = grid.paths.questions(*file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in asked), encoding="utf-8")
    log = pd.DataFrame({"step": np.arange(1, 201), "completions_sampled": 256.0 * np.arange(1, 201)})
    log = log.assign(learning_rate=1e-3, reward_mean=0.4, kl=0.1, **{f"share_{name}": 0.2 for name in FORMATS})
    for job in (*grid.models.values(), *grid.runs.values()):
        folder = grid.paths.job(job)
        folder.mkdir(parents=True, exist_ok=True)
        log.to_csv(folder / "metrics.csv", index=False)
    total = 0
    for seed, ((id, benchmark), job) in enumerate(grid.evaluations.items()):
        path = grid.paths.samples(id, benchmark)
        path.parent.mkdir(parents=True, exist_ok=True)
        n = grid.file.benchmarks[benchmark].samples
        steps = [1] if isinstance(job, Model) else list(range(1, STEPS + 1))
        table = samples(id, benchmark, steps, questions, n, seed)
        table.to_parquet(path, index=False)
        total += len(table)
    for seed, probe in enumerate(grid.probes.values()):
        path = grid.paths.probe(probe)
        path.parent.mkdir(parents=True, exist_ok=True)
        drawn = samples(probe.model.id, probe.prompts, [1], questions, grid.file.base_samples.samples, 10**6 + seed)
        drawn[drawn["mode"] == "sample"].to_parquet(path, index=False)
    return total


def run(script: str, spec: Spec, out: Path) -> tuple[float, float]:
    """Processor seconds and peak megabytes of one job."""
    given = out.parent / f"{script}.json"
    given.parent.mkdir(parents=True, exist_ok=True)
    given.write_text(spec.text(), encoding="utf-8")
    command = [sys.executable, str(ROOT / f"workflow_scripts/{script}.py"), "--spec", f"@{given}", "--out", str(out)]
    path = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    taken = child.run([*command, "--log", str(out.parent / f"{script}.log")], os.environ | path)
    return taken.seconds, taken.megabytes


def measure(evaluations: int, completions: int, questions: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        grid = grid_of(folder, evaluations, completions, questions)
        row: dict[str, float] = {"evaluations": len(grid.evaluations), "runs": len(grid.runs)}
        row["completions"] = fabricate(grid, completions, questions)
        row["megabytes_of_samples"] = sum(path.stat().st_size for path in grid.samples) / 1e6
        jobs: dict[str, list[tuple[float, float]]] = {"measure": [], "join_study": [], "make_tables": []}
        for (id, benchmark), job in grid.evaluations.items():
            out = grid.paths.measures(id, benchmark).parent
            jobs["measure"].append(run("measure_evaluation", grid.measure_spec(job, benchmark), out))
        for study in grid.file.studies:
            jobs["join_study"].append(run("join_study", grid.study_spec(study), grid.paths.study(study)))
        jobs["make_tables"].append(run("make_tables", grid.grid_spec("tables"), grid.paths.tables))
        for kind, taken in jobs.items():
            row[f"seconds_{kind}"] = sum(seconds for seconds, _ in taken)
            row[f"peak_mb_{kind}"] = max(peak for _, peak in taken)
        row["seconds"] = sum(row[f"seconds_{kind}"] for kind in jobs)
        row["peak_mb"] = max(row[f"peak_mb_{kind}"] for kind in jobs)
        row["megabytes_of_measures"] = sum(path.stat().st_size for path in grid.measured if path.suffix == ".parquet")
        row["megabytes_of_measures"] /= 1e6
    return row


def extrapolated(rows: list[dict[str, float]], completions: float) -> dict[str, float]:
    """Hours of one processor and peak megabytes of each kind of job, on the line through the first and the last row."""
    first, last = rows[0], rows[-1]
    at = {}
    for key in last:
        if key.startswith(("seconds", "peak_mb")):
            slope = (last[key] - first[key]) / max(last["completions"] - first["completions"], 1)
            value = last[key] + max(slope, 0.0) * (completions - last["completions"])
            at[key.replace("seconds", "hours")] = value / 3600 if key.startswith("seconds") else value
    return at


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evaluations", type=int, nargs="+", default=[20, 40])
    parser.add_argument("--completions", type=int, default=10_000, help="of one evaluation")
    parser.add_argument("--questions", type=int, default=100)
    given = parser.parse_args()
    rows = [measure(count, given.completions, given.questions) for count in given.evaluations]
    for row in rows:
        print(", ".join(f"{key} {value:.4g}" for key, value in row.items()))
        row["microseconds_a_completion"] = 1e6 * row["seconds"] / row["completions"]
    far = extrapolated(rows, 50e6)
    print(f"50 million completions: {', '.join(f'{key} {value:.3g}' for key, value in far.items())}")
    within = all(row["peak_mb"] <= LIMIT_MB for row in rows)
    print(json.dumps({"rows": rows, "at_50_million": far, "within_limit": within}))


if __name__ == "__main__":
    main()
