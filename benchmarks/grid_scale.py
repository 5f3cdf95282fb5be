"""How planning a large grid grows: `snakemake -n` and `snakemake plan` on generated grids of 500 and 2,000 runs.

    .venv/bin/python benchmarks/grid_scale.py [--runs 500 2000]

A run keeps 10 checkpoints; there is a pretraining for every ten runs, and an evaluation for each of both. `-n` is timed
where nothing is made yet, and where everything is (empty files). The limits are 20 seconds and 1 GB for `-n` at 2,000
runs, and that no step grows faster than linearly. The last line of the output is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import child
import yaml

from echochamber.grid import parsing
from echochamber.grid.expansion import Grid
from echochamber.jobs.spec import Spec
from echochamber.planning.cost import Costs
from echochamber.planning.plan import plan

ROOT = Path(__file__).parents[1]


def grid_file(runs: int) -> dict:
    """A grid with one study: 5 mixtures x 2 scales x seeds, and from each model 2 algorithms x 5 seeds."""
    config = parsing.read(ROOT / "tests/support/grids/three_formats.yaml")
    sources = ["tinygsm", "omi1", "omi1-math", "omi2", "omi2-math"]
    config |= {"name": f"runs-{runs}", "primary": {}}
    config["mixtures"] = {f"m{passes}": {"passes": {"tinygsm": passes, sources[passes]: 2}} for passes in range(1, 5)}
    config["mixtures"]["all"] = {"passes": dict.fromkeys(sources, 1)}
    config["pretraining"]["checkpoints"] = [100]
    for name in ("ppo", "grpo"):
        config["algorithms"][name] |= {"passes": 10, "log_spaced_checkpoints": 0}
    study = {"title": "?", "mixtures": list(config["mixtures"]), "scales": ["pico", "nano"]}
    study |= {"model_seeds": list(range(runs // 100)), "algorithms": ["ppo", "grpo"], "prompts": ["synth-gsm"]}
    study |= {"run_seeds": list(range(5)), "benchmarks": ["synth-gsm"], "figures": ["formats"]}
    # Two of the studies that share jobs, and starts from two steps.
    config["studies"] = {"one": study | {"algorithms": ["ppo"]}, "other": study, "early": study | {"from_step": 100}}
    config["studies"]["early"] |= {"algorithms": ["grpo"], "run_seeds": [0], "model_seeds": [0]}
    return config


def specs(grid: Grid) -> list[Spec]:
    job_specs = [grid.pretrain_spec(model) for model in grid.trained_models.values()]
    job_specs += [grid.posttrain_spec(run) for run in grid.runs.values()]
    return job_specs + [grid.evaluate_spec(job, benchmark) for (_, benchmark), job in grid.evaluations.items()]


def costs(grid: Grid) -> None:
    each = Costs(grid)
    for run in grid.runs.values():
        each.posttraining(run)
    for (_, benchmark), job in grid.evaluations.items():
        each.evaluation(job, benchmark)


def make_everything(grid: Grid) -> None:
    """Empty files in the place of all that the jobs of training and evaluation need or make."""
    paths, checkpoint = grid.paths, ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    kept = [(paths.job(model), 2) for model in grid.trained_models.values()]
    kept += [(paths.job(run), 10) for run in grid.runs.values()]
    files = [paths.tokenizer / name for name in ("tokenizer.json", "tokenizer_config.json")]
    files += [paths.corpus(source) / "manifest.json" for source in grid.corpora]
    files += [paths.questions(*question_file) for question_file in grid.question_files]
    files += [paths.mixture(mixture) for mixture in grid.mixtures]
    for folder, count in kept:
        files += [folder / f"checkpoints/step_{n:08d}" / name for n in range(count) for name in checkpoint]
        files += [folder / name for name in ("metrics.csv", "timings.csv", "provenance.json")]
    files += [paths.samples(*evaluation) for evaluation in grid.evaluations]
    files += [paths.probe(probe) for probe in grid.probes.values()]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def timed(body: Callable[[], object]) -> float:
    """Seconds, the fastest of three."""
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        body()
        taken.append(time.perf_counter() - started)
    return min(taken)


def snakemake(what: str, file: Path, folder: Path, *arguments: str) -> dict[str, float]:
    """Seconds and peak megabytes of a call of Snakemake, as the two columns of `what`."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2"]
    command += [
        "--directory",
        str(folder),
        "--configfile",
        str(file),
        "--quiet",
        "rules",
        "progress",
        "host",
        *arguments,
    ]
    taken = child.run(command, os.environ | {"OMP_NUM_THREADS": "1"})
    return {f"seconds_{what}": taken.wall_seconds, f"peak_mb_{what}": taken.megabytes}


def measure(runs: int) -> dict[str, float]:
    config = grid_file(runs)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "grid.yaml"
        file.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        grid = parsing.load(file, folder / "results")
        run = next(iter(grid.runs.values()))
        row = {"runs": len(grid.runs), "checkpoints_of_a_run": len(Costs(grid).kept_steps(run))}
        row["seconds_expand"] = timed(lambda: parsing.load(file).evaluations)
        row["seconds_specs"] = timed(lambda: [spec.text() for spec in specs(parsing.load(file))])
        row["seconds_costs"] = timed(lambda: costs(grid))
        row["seconds_plan"] = timed(lambda: plan(grid))
        row |= snakemake("dry_run", file, folder, "-n")
        row |= snakemake("plan_command", file, folder, "--", "plan")
        make_everything(grid)
        row |= snakemake("dry_run_made", file, folder, "-n")
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=[500, 2000])
    rows = [measure(runs) for runs in parser.parse_args().runs]
    for row in rows:
        print(", ".join(f"{key} {value:.4g}" for key, value in row.items()))
    first, last = rows[0], rows[-1]
    growth = {key: last[key] / first[key] for key in last if key.startswith("seconds")}
    print(json.dumps({"rows": rows, "runs_ratio": last["runs"] / first["runs"], "growth": growth}))


if __name__ == "__main__":
    main()
