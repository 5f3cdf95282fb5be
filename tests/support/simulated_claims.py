"""Tables of a world in which the truth of every claim is known: completions drawn question by question."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from echochamber.analysis.claims.thresholds import thresholds
from echochamber.analysis.studies import SHARES
from echochamber.analysis.tables.per_question import PER_QUESTION, RIGHT, RULED, WRITTEN
from echochamber.analysis.tables.tables import TABLES
from echochamber.grid.expansion import Grid
from echochamber.grid.ids import Run
from echochamber.stats.columns import AXES

RULES = thresholds()
STEPS = (0, 1, 32, 64, 128)  # 4 passes of 32 steps
QUESTIONS = 200
RUNS = {"prompts": ["synth-gsm"], "algorithms": ["grpo"], "mixtures": ["tg+omi1+omi2"]}
SIX = {"model_seeds": [0, 1, 2, 3, 4, 5]}
EIGHT = {"model_seeds": list(range(8))}

Truth = Callable[[Run, str, float], dict]
"""(run, benchmark, how far RL is from 0 to 1) -> shares (5), accuracies (5), and greedy, majority, best, right_steps:
probabilities of a question; jitter: standard deviation of what each checkpoint adds to `best`; kl, collapse: of
training; styles: style -> share of its first variant inside the winner;
theory: measure -> its value, of a run."""


def truth(run: Run, benchmark: str, t: float) -> dict:
    """A world in which the paper is right about tg+omi1+omi2: it moves to tinygsm early, majority up, pass@k down."""
    fast = min(1.0, 4 * t) if run.algorithm != "ei" else 0.2 * t
    shares = {"tg+2xomi1": (0.4, 0.45), "tg+4xomi1": (0.28, 0.66), "tg+8xomi1": (0.1, 0.85)}
    shares |= {f"tg+{n}xomi1": (0.46 - 0.04 * n, 0.47 + 0.04 * n) for n in (3, 5, 6, 7, 9)}
    shares |= {f"tg+{n}xomi1": (0.1 + 0.01 * (n - 10), 0.83 - 0.01 * (n - 10)) for n in range(10, 38)}
    tinygsm, omi1 = shares.get(run.model.mixture, (0.5, 0.3))
    start = np.array((tinygsm, omi1, 0, 0.02, 0.01))
    start[2] = 1 - start.sum()
    end = np.array((0.97, 0.01, 0.01, 0.005, 0.005))
    if run.model.mixture == "tg+8xomi1":
        end = end[[1, 0, 2, 3, 4]]
    if run.model.scale == "mini" or run.algorithm == "grpo-written":
        end = end[[2, 1, 0, 3, 4]]
    kept = {"grpo-kl.01": 0.1, "grpo-kl.1": 0.25}.get(run.algorithm, 0.0)
    end = (1 - kept) * end + kept * start
    worse = 0.2 if run.model.mixture == "tg+8xomi1" else 0.0
    more = {"tg": 0, "2xtg": 0.07, "4xtg": 0.14}.get(run.model.mixture, 0)
    gain = 0.1 if run.algorithm == "ei" else 0.3
    own = {"synth-gsm": 1.0, "synth-math": 0.2 if run.prompts == "synth-math" else 0.5, "synth-hard": 0.02}[benchmark]
    right = own if run.algorithm != "ei" else 1.0
    similar = 1.5 if benchmark == "synth-math" and "omi2" in run.model.mixture else 1.0
    hard = benchmark == "synth-hard"
    mean = 0.3 * right + fast * right * similar * gain
    return {
        "shares": (1 - fast) * start + fast * end,
        "accuracies": np.array((0.65, 0.3, 0.2, 0.1, 0.0)) * (0.05 if hard else 1) - worse * fast,
        "greedy": 0.3 * right + more + fast * right * similar * gain - worse * fast,
        "majority": 0.5 * right + 0.1 * right * fast,
        "best": 0.3 + 0.3 * t if hard else 0.7 + 0.1 * fast - 0.2 * t + 0.5 * kept,
        "right_steps": 0.05 + 0.02 * fast if hard else mean,
        "kl": {"grpo-kl0": 9.0, "grpo-kl.01": 5.0, "grpo-kl.1": 2.0}.get(run.algorithm, 8.0),
        "jitter": 0.0,
        "collapse": 0.2 if run.algorithm == "grpo" else 0.02,
        "styles": {"quotes": 0.5 + 0.45 * t, "twin": 0.5 + 0.1 * t},
        "theory": {"error": 0.03, "error_base": 0.3, "error_limit": 0.2, "error_neighbour": 0.1}
        | {"base_objective": 0.2, "objective": 0.4},
    }


def simulate(
    grid: Grid, world: Truth = truth, noise: float = 0.01, seed: int = 0, hardness: float = 0.1
) -> dict[str, pd.DataFrame]:
    """Tables of a grid whose completions are drawn from the truth.

    noise: standard deviation of what each base model adds to every probability. hardness: that of what each question
    adds to every probability, for all models alike.
    """
    rng = np.random.default_rng(seed)
    index = pd.DataFrame(grid.index())
    of, answers, score_rows, logs, looks, theory = [], [], [], [], [], []
    harder = {name: rng.normal(0, hardness, QUESTIONS) for name in grid.file.benchmarks}
    of_model: dict[str, np.ndarray] = {}
    for (id, benchmark), job in grid.evaluations.items():
        if not isinstance(job, Run):
            continue
        axes = index.loc[index["id"] == id, list(AXES)].iloc[0].to_dict() | {"id": id}
        offsets = of_model.setdefault(job.model.id, rng.normal(0, noise, 9)) + rng.normal(0, noise / 2, 9)
        steps = (0, 1, 2) if job.algorithm == "ei" else STEPS
        base = np.random.default_rng([seed, *job.model.id.encode(), *benchmark.encode()])
        own = np.random.default_rng([seed, *job.id.encode()])
        for step in steps:
            now = world(job, benchmark, step / steps[-1])
            draw = base if step == 0 else rng
            now["best"] = now["best"] + own.normal(0, now["jitter"])
            answers.append(_answers(now, grid.file.benchmarks[benchmark].samples, offsets, harder[benchmark], draw))
            of.append(axes | {"question_set": benchmark, "step": step})
            score_rows.append(axes | {"step": step, "question_set": benchmark, "scorer": "executed"})
            looks += [axes | {"step": step} | look for look in _looks(now, noise, own)]
        if benchmark == "synth-gsm":
            now = world(job, benchmark, 1)
            for name, value in now["theory"].items():
                row = axes | {"law": "tilt", "beta": 0.3, "strict": True, "reason": "", "measure": name}
                theory.append(row | {"estimate": value + own.normal(0, noise) * name.startswith("error")})
            reward = np.linspace(0.3, 0.6, 100)
            reward[50:] -= now["collapse"] + rng.normal(0, noise)
            reward += own.normal(0, 0.058, 100)  # of 32 prompts x 8 completions
            log = pd.DataFrame(axes | {"step": np.arange(1, 101), "reward_mean": reward})
            log["kl"] = now["kl"] + rng.normal(0, noise)
            log[SHARES] = now["shares"]
            logs.append(log)
    scores = pd.DataFrame(score_rows, columns=list(TABLES["scores"])).astype({"k": "Int64", "step": "Int64"})
    return {
        "runs": index,
        "scores": scores,
        "per_question": _per_question(of, answers),
        "training": pd.concat(logs, ignore_index=True),
        "styles": pd.DataFrame(looks),
        "theory": pd.DataFrame(theory),
        "gains": pd.DataFrame(columns=list(TABLES["gains"])),
        "samples": pd.DataFrame(),
    }


def _looks(now: dict, noise: float, rng: np.random.Generator) -> list[dict]:
    """Shares of the two variants of each style inside the winner, tinygsm, in completions that are drawn."""
    rows = []
    for style, share in now["styles"].items():
        first = rng.binomial(8 * QUESTIONS, np.clip(share + rng.normal(0, noise), 0, 1)) / (8 * QUESTIONS)
        for variant, estimate in (("double", first), ("single", 1 - first)):
            row = {"format": "tinygsm", "style": style, "variant": variant, "estimate": estimate}
            rows.append(row | {"n_samples": 8 * QUESTIONS})
    return rows


def _answers(now: dict, n: int, offsets: np.ndarray, harder: np.ndarray, rng: np.random.Generator) -> dict:
    """What one model answers: the numbers of `per_question`, column by column."""
    shares = np.clip(np.asarray(now["shares"], dtype=float) + offsets[:5] * (np.asarray(now["shares"]) > 0), 1e-9, 1)
    written = rng.multinomial(n, shares / shares.sum(), size=len(harder))
    chance = np.clip(np.asarray(now["accuracies"])[None] + harder[:, None] + offsets[5], 0, 1)
    right = rng.binomial(written, chance)
    ruled = right.sum(1)

    def probability(name: str, offset: float) -> np.ndarray:
        return np.clip(now[name] + harder + offset, 0, 1)

    # pass@k follows from the right completions: those are put where the truth wants a question solved
    solved = rng.random(len(harder)) < probability("best", offsets[6])
    right[~solved] = 0
    empty = np.flatnonzero(solved & (right.sum(1) == 0))
    right[empty, written[empty].argmax(1)] = 1
    return {
        "samples": np.full(len(harder), n),
        **dict(zip(WRITTEN, written.T, strict=True)),
        **dict(zip(RIGHT, right.T, strict=True)),
        **dict.fromkeys(RULED, ruled),
        "majority": probability("majority", offsets[7]),
        "greedy": (rng.random(len(harder)) < probability("greedy", offsets[8])).astype(float),
        "right_steps": rng.binomial(n, probability("right_steps", offsets[8])).astype(float),
    }


def _per_question(of: list[dict], answers: list[dict]) -> pd.DataFrame:
    """The table of `answers`, each of all questions. of: the other columns, of each."""
    table = pd.DataFrame(of).loc[np.repeat(np.arange(len(of)), QUESTIONS)].reset_index(drop=True)
    numbers = {name: np.concatenate([each[name] for each in answers]) for name in answers[0]}
    numbers["question_id"] = np.tile([f"q{i:04d}" for i in range(QUESTIONS)], len(of))
    return pd.concat([table, pd.DataFrame(numbers)], axis=1)[list(PER_QUESTION)]
