"""A results folder with made-up samples whose shares and accuracies are known, in the layout that the jobs write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from echochamber.analysis.behaviours import measure as behaviours
from echochamber.analysis.behaviours.tables import OF_EVALUATIONS
from echochamber.analysis.tables import table_files
from echochamber.evaluation import labels
from echochamber.formats import FORMATS, RULES
from echochamber.grid.expansion import Grid
from echochamber.grid.ids import Model, Run
from echochamber.settings import GridFile

TEXT = {
    "tinygsm": "def simple_math_problem() -> int:\n    '''\n    Ann has 3 pens and buys 4 more.\n    '''\n"
    "    pens = 3 + 4\n    result = pens\n    return result",
    "omi1": "We add what she buys.\n<llm-code>\npens = 3 + 4\npens\n</llm-code>\n"
    "<llm-code-output>\n7\n</llm-code-output>\nSo Ann has \\boxed{7} pens.",
    "omi2": "Ann starts with 3 pens and buys 4 more, so she has $3 + 4 = 7$ pens.\n\nThe answer is $\\boxed{7}$.",
    "text": "She has three pens and then seven.",
    "other": "def def def pens pens pens <llm-code> 3 3 3",
}

GRAPH = {
    "nodes": [
        {"operation": "given", "inputs": [], "number": 3, "value": 3},
        {"operation": "buy", "inputs": [0], "number": 4, "value": 7},
    ]
}
"""What the texts above compute."""


def source(style: str, **more: Any) -> dict:
    return {"kind": "synthetic", "style": style, "documents": 1000} | more


def grid_file(**studies: dict) -> dict:
    """A grid of three mixtures, four scales and five algorithms; each study states its axes."""
    rl = {"kind": "grpo", "passes": 4, "prompts_per_batch": 32, "samples_per_prompt": 8, "update_batch": 64}
    sets = {"train": 1024, "test": 100}
    return {
        "name": "made-up",
        "world": "embedded world",
        "tokenizer": {"kind": "bpe", "vocabulary": 512},
        "corpora": {
            "tinygsm": source("tinygsm"),
            "omi1": source("omi1"),
            "omi2": source("omi2", problems={"family": "math"}),
        },
        "question_sets": {
            "synth-gsm": {"kind": "synthetic"} | sets,
            "synth-math": {"kind": "synthetic", "problems": {"family": "math"}} | sets,
            "synth-hard": {"kind": "synthetic", "problems": {"steps": [5, 7]}} | sets,
        },
        "mixtures": {
            "tg": {"passes": {"tinygsm": 1}},
            "2xtg": {"passes": {"tinygsm": 2}},
            "4xtg": {"passes": {"tinygsm": 4}},
            "tg+omi1+omi2": {"passes": {"tinygsm": 1, "omi1": 1, "omi2": 1}},
            "tg+2xomi1": {"passes": {"tinygsm": 1, "omi1": 2}},
            **{f"tg+{n}xomi1": {"passes": {"tinygsm": 1, "omi1": n}} for n in range(3, 38)},
        },
        "scales": {
            "pico": {"width": 16, "layers": 2, "heads": 2, "intermediate": 64},
            "nano": {"width": 32, "layers": 2, "heads": 2, "intermediate": 128},
            "micro": {"width": 64, "layers": 2, "heads": 4, "intermediate": 256},
            "mini": {"width": 128, "layers": 3, "heads": 4, "intermediate": 512},
        },
        "algorithms": {
            "grpo": rl | {"kl": {"place": "loss", "estimator": "k3", "coefficient": 0.001}},
            "grpo-kl.01": rl | {"kl": {"place": "loss", "estimator": "k3", "coefficient": 0.01}},
            "grpo-kl.1": rl | {"kl": {"place": "loss", "estimator": "k3", "coefficient": 0.1}},
            "grpo-kl0": rl,
            "grpo-written": rl
            | {"kl": {"place": "loss", "estimator": "k3", "coefficient": 0.001}, "reward": "written"},
            "ppo": rl | {"kind": "ppo", "kl": {"place": "reward", "coefficient": 0.001}},
            "ei": {"kind": "expert_iteration", "iterations": 2, "samples_per_prompt": 8},
        },
        "prompts": {"synth-gsm": {"questions": "synth-gsm"}, "synth-math": {"questions": "synth-math"}},
        "benchmarks": {
            "synth-gsm": {"questions": "synth-gsm", "samples": 16},
            "synth-math": {"questions": "synth-math", "samples": 4},
            "ends": {"questions": "synth-gsm", "samples": 4, "checkpoints": "ends"},
            "synth-hard": {"questions": "synth-hard", "samples": 4, "role": "hard"},
        },
        "studies": {
            name: {"title": f"What does {name} show?", "scales": ["nano"], "benchmarks": ["synth-gsm"]} | study
            for name, study in studies.items()
        },
    }


def of(file: dict, folder: Path) -> Grid:
    """The grid of a whole file."""
    return Grid(GridFile.model_validate(file), folder)


def grid(folder: Path, models: dict | None = None, **studies: dict) -> Grid:
    return of(grid_file(**studies) | {"models": models or {}}, folder)


BASE = {  # shares of the base model by mixture
    "tg": (0.97, 0, 0, 0.02, 0.01),
    "2xtg": (0.97, 0, 0, 0.02, 0.01),
    "4xtg": (0.98, 0, 0, 0.01, 0.01),
    "tg+omi1+omi2": (0.45, 0.28, 0.24, 0.02, 0.01),
    "tg+4xomi1": (0.28, 0.66, 0, 0.05, 0.01),
    "tg+8xomi1": (0.12, 0.85, 0, 0.02, 0.01),
}
ACCURACY = {
    "synth-gsm": (0.55, 0.45, 0.15, 0.05, 0),
    "synth-math": (0.2, 0.1, 0.12, 0, 0),
    "synth-hard": (0.02, 0.01, 0, 0, 0),
}
STEPS = (1, 2, 4, 8, 16, 32, 64, 96, 128)
SIZE = {"pico": 0.6, "nano": 1.0, "micro": 1.2, "mini": 1.4}


def behaviour(job: Model | Run, step: int, benchmark: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(shares, accuracies) of the five formats at an RL step; made up, but of the shape that the paper reports."""
    model = job if isinstance(job, Model) else job.model
    share, accuracy = np.array(BASE[model.mixture]), np.array(ACCURACY[benchmark]) * SIZE[model.scale]
    if isinstance(job, Run):
        speed = {"grpo": 1.0, "grpo-kl.1": 0.25, "grpo-kl0": 1.1, "ppo": 0.8, "ei": 0.3}[job.algorithm]
        time = 40 * step if job.algorithm == "ei" else step
        pull = np.array((0.12, 0.06, 0.02 if model.scale != "mini" else 0.2, -0.05, -0.1))
        logit = np.log(np.maximum(share, 1e-9)) + speed * time * (pull + 0.01 * rng.normal(size=5))
        share = np.exp(logit - logit.max())
        accuracy = accuracy + (0.95 - accuracy) * (accuracy > 0) * 0.4 * (1 - np.exp(-speed * time / 30))
    return share / share.sum(), np.clip(accuracy, 0, 0.98)


def samples(job: Model | Run, steps: list[int], benchmark: str, questions: int, n: int, seed: int) -> pd.DataFrame:
    """samples.parquet with one greedy and n sampled completions a question."""
    rng = np.random.default_rng(seed)
    difficulty = np.random.default_rng(99).normal(size=questions)
    parts = []
    for step in steps:
        share, accuracy = behaviour(job, step, benchmark, np.random.default_rng(seed))
        for mode, count in (("greedy", 1), ("sample", n)):
            form = (
                rng.choice(5, p=share, size=(questions, count))
                if mode == "sample"
                else np.full((questions, 1), share.argmax())
            )
            odds = accuracy[form] / (1 - accuracy[form]) * np.exp(1.5 * difficulty[:, None])
            correct = rng.random(form.shape) < odds / (1 + odds)
            answer = np.where(correct, 7, rng.integers(8, 14, form.shape))
            blank = (form == 4) | ((rng.random(form.shape) < 0.05) & ~correct)
            names = np.array(FORMATS, dtype=object)[form].ravel()
            parts.append(
                pd.DataFrame(
                    {
                        "id": job.id,
                        "step": step,
                        "question_set": benchmark,
                        "question_id": np.repeat([f"q{i:03d}" for i in range(questions)], count),
                        "mode": mode,
                        "sample": np.tile(np.arange(count), questions),
                        "temperature": 0.0 if mode == "greedy" else 0.7,
                        "top_p": 1.0 if mode == "greedy" else 0.95,
                        "completion": pd.Series(names).map(TEXT),
                        "tokens": rng.integers(20, 80, form.size),
                        "finished": (form != 4).ravel(),
                        "logprob": -rng.gamma(3.0, size=form.size),
                        "format": names,
                        "flags": np.where(form == 4, "repeats", "").ravel(),
                        "format_authors": names,
                    }
                    | {f"correct_{rule}": correct.ravel() for rule in RULES}
                    | {f"answer_{rule}": np.where(blank, None, answer.astype(str)).ravel() for rule in RULES}
                    | {f"answer_key_{rule}": np.where(blank, None, answer.astype(str)).ravel() for rule in RULES}
                    | {f"status_{rule}": np.where(blank, "no_answer", "ok").ravel() for rule in RULES}
                )
            )
    return pd.concat(parts, ignore_index=True)


def metrics(job: Run, steps: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for step in range(1, steps + 1):
        share, accuracy = behaviour(job, step - 1, "synth-gsm", np.random.default_rng(seed))
        penalty = 0.15 if "kl.1" in job.algorithm else 1.0
        rows.append(
            {
                "step": step,
                "completions_sampled": 256 * step * (16 if job.algorithm == "ei" else 1),
                "learning_rate": 1e-3,
            }
            | {"reward_mean": float(share @ accuracy + 0.02 * rng.normal())}
            | {f"share_{name}": s for name, s in zip(FORMATS, share, strict=True)}
            | {f"accuracy_{name}": a for name, a in zip(FORMATS, accuracy, strict=True)}
            | {"kl": penalty * 8 * (1 - np.exp(-step / 30)) + 0.05 * rng.normal(), "entropy": 0.4}
        )
    return pd.DataFrame(rows)


def label(grid: Grid) -> None:
    """Write the labels of a fabricated grid, base models first, and what they add to the tables of behaviours."""
    for (id, benchmark), job in sorted(grid.evaluations.items(), key=lambda item: isinstance(item[1], Run)):
        spec, file = grid.label_spec(job, benchmark), grid.paths.labels(id, benchmark)
        file.parent.mkdir(parents=True, exist_ok=True)
        labels.write(file, labels.label(Path(spec.samples), spec.behaviours, Path(spec.base or spec.samples)))
        measured = behaviours.measure(spec, file)
        table_files.write_measures(grid.paths.label_measures(id, benchmark), OF_EVALUATIONS, measured)


def last_step(model: Model) -> int:
    """Of pretraining: documents that are packed whole fill another number of batches with each seed."""
    return 500 + (model.seed or 0)


def fabricate(grid: Grid, questions: int = 100, steps: tuple[int, ...] = STEPS) -> None:
    """Write samples.parquet, metrics.csv and the test questions of every job of a grid."""
    for seed, ((_, benchmark), job) in enumerate(grid.evaluations.items()):
        n = grid.file.benchmarks[benchmark].samples
        at = [last_step(job)] if isinstance(job, Model) else ([1, 2] if job.algorithm == "ei" else list(steps))
        path = grid.paths.samples(job.id, benchmark)
        path.parent.mkdir(parents=True, exist_ok=True)
        samples(job, at, benchmark, questions, n, seed).to_parquet(path)
    for seed, probe in enumerate(grid.probes.values(), start=1000):
        path = grid.paths.probe(probe)
        path.parent.mkdir(parents=True, exist_ok=True)
        at, n = [last_step(probe.model)], grid.file.base_samples.samples
        drawn = samples(probe.model, at, probe.prompts, questions, n, seed)
        drawn[drawn["mode"] == "sample"].to_parquet(path)
    for seed, run in enumerate(grid.runs.values()):
        folder = grid.paths.job(run)
        folder.mkdir(parents=True, exist_ok=True)
        metrics(run, 2 if run.algorithm == "ei" else steps[-1], seed).to_csv(folder / "metrics.csv", index=False)
    for model in grid.trained_models.values():
        folder = grid.paths.job(model)
        folder.mkdir(parents=True, exist_ok=True)
        log = pd.DataFrame(
            {"step": range(100, 501, 100), "tokens": range(1000, 5001, 1000), "loss": [3, 2, 1.5, 1.2, 1.1]}
        )
        log.to_csv(folder / "metrics.csv", index=False)
    for name, split in grid.question_files:
        path = grid.paths.questions(name, split)
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [
            {
                "question_id": f"q{i:03d}",
                "question": f"Ann has {i} pens and buys 4 more. How many?",
                "answer": "7",
                "graph": GRAPH,
            }
            for i in range(questions)
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def with_a_choice(styles: pd.DataFrame) -> pd.DataFrame:
    """Docstrings between double quotes come up: .2 of them at first, all but a tenth in the end."""
    quotes = styles["style"] == "quotes"
    double = (0.2 + 0.7 * styles["step"] / 128).where(styles["variant"] == "double", 0.8 - 0.7 * styles["step"] / 128)
    double = double.where(styles["variant"] != "none", 0.0)
    return styles.assign(**{name: styles[name].mask(quotes, double) for name in ("estimate", "low", "high")})
