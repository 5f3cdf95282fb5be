"""What RL will amplify, foretold from the samples of base models alone: forecast.csv, before any RL is run.

| forecast | what it says |
|---|---|
| most frequent | the format with the largest share wins |
| most accurate | of the formats with a share, the one that is right most often wins |
| limit | shares in proportion to share times accuracy, question by question: where Expert Iteration goes |
| T1 | the shares that KL-regularised RL rests at, at each coefficient that tests the theory |
| calibrated | the likelier winner by a logistic regression on share and accuracy, learned from the registered study |

| measure | |
|---|---|
| winner | `format` wins; `estimate` is the share that it is foretold, where one is; calibrated: its probability |
| share | of a format after RL, interval over questions |
| accuracy | pass@1 after RL by the same law |
| ceiling | pass@k of the base model with all its samples: what selection alone can reach |
| accuracy_now, gain | pass@1 of the base model; accuracy less that |

Laws suppose that the model can be re-weighted question by question and learns nothing else: refinement within a format
comes on top.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from echochamber.analysis import samples
from echochamber.analysis.claims.thresholds import thresholds
from echochamber.analysis.forecast import features, learned, pick
from echochamber.analysis.samples import Answers
from echochamber.analysis.tables.decomposition import counts
from echochamber.analysis.theory import stationary
from echochamber.formats import FORMATS
from echochamber.grid.expansion import Grid
from echochamber.grid.ids import Model
from echochamber.stats import metrics
from echochamber.stats.columns import FORMAT, ID, MEASURED, QUESTION_SET, SETTING, Column, Table
from echochamber.stats.intervals import bca, question_intervals

FORECAST = Table(
    "forecast",
    "what RL of a base model is foretold to do to a question set, by one forecast",
    (
        *(ID, *SETTING[:3], QUESTION_SET),
        Column("forecast", "text", "which, of those below"),
        Column("beta", "number", "coefficient of the KL penalty; empty where there is none"),
        Column("measure", "text", "which, of those below"),
        FORMAT,
        *MEASURED,
    ),
    notes=__doc__.partition("\n\n")[2],
)
WRITTEN = thresholds()["T1"]["share"]
"""A format with less than this share of a base model is none that could win by its accuracy."""


def table(grid: Grid) -> pd.DataFrame:
    """forecast.csv of a grid: columns `FORECAST`, for every base model on every question set that it is measured on.

    Raises FileNotFoundError or ValueError, in one line, if a base model's samples are missing or unreadable.
    """
    rows = []
    for id, benchmark in grid.base_evaluations:
        path = grid.paths.samples(id, benchmark)
        if not path.exists():
            raise FileNotFoundError(f"{path}: found nothing, allowed: the samples of {id} on {benchmark}")
        answers = samples.read(path)
        last = max(step for step, _ in answers)
        job = grid.evaluations[id, benchmark]
        assert isinstance(job, Model)
        axes = {"id": id, "mixture": job.mixture, "scale": job.scale, "model_seed": job.seed}
        rows += [axes | {"question_set": benchmark} | row for row in forecasts(answers[last, "sample"])]
    return pd.DataFrame(rows, columns=list(FORECAST)).astype({"model_seed": "Int64"})


def forecasts(answers: Answers, formats: Sequence[str] = FORMATS) -> list[dict]:
    """Rows from `forecast` on, for the samples of one base model."""
    written, right = (side.astype(float) for side in counts(answers, len(formats)))
    shares = written.sum(0) / written.sum()
    accuracy = np.where(shares >= WRITTEN, right.sum(0) / np.maximum(written.sum(0), 1), -1.0)
    n = answers.correct.shape[1]
    size = {"n_questions": len(answers.questions), "n_samples": answers.correct.size, "n_seeds": 1}

    def row(forecast: str, measure: str, ends: np.ndarray | None = None, form: str | None = None, beta=np.nan) -> dict:
        estimate, low, high = ends if ends is not None else (np.nan, np.nan, np.nan)
        said = {"forecast": forecast, "beta": beta, "measure": measure, "format": form}
        return said | {"estimate": float(estimate), "low": float(low), "high": float(high)} | size

    now = answers.correct.mean(1)
    rows = [
        row("base", "accuracy_now", question_intervals(now[:, None])[:, 0]),
        row("base", "ceiling", question_intervals(metrics.pass_at_k(n, answers.correct.sum(1), n)[:, None])[:, 0]),
        row("most frequent", "winner", form=formats[int(shares.argmax())]),
        row("most accurate", "winner", form=formats[int(accuracy.argmax())]),
    ]
    first, second = sorted(int(index) for index in np.argsort(-shares, kind="stable")[:2])
    pair = formats[first], formats[second]
    likelier, probability = pick(features(written.sum(0), right.sum(0), pair, formats), pair, learned())
    rows.append(row("calibrated", "winner", np.array([probability, np.nan, np.nan]), likelier))
    for beta in (0.0, *sorted(thresholds()["T1"]["coefficients"])):
        name = "limit" if beta == 0 else "T1"
        law = partial(stationary.predicted_shares, beta=beta)
        whole, bias = stationary.predict(answers.format, answers.correct, len(formats), law)
        foretold = bca(whole + bias)
        best = int(foretold[0].argmax())
        rows.append(row(name, "winner", foretold[:, best], formats[best], beta))
        rows += [row(name, "share", ends, form, beta) for form, ends in zip(formats, foretold.T, strict=True)]
        reward = (now > 0).astype(float) if beta == 0 else _reward(now, beta)
        rows.append(row(name, "accuracy", question_intervals(reward[:, None])[:, 0], beta=beta))
        rows.append(row(name, "gain", bca((reward - now)[:, None])[:, 0], beta=beta))
    return rows


def _reward(mass: np.ndarray, beta: float) -> np.ndarray:
    """Mean reward of each question at the optimum, from its share of right completions."""
    solved, certain = mass > 0, mass >= 1
    inside = np.clip(mass, 1e-12, 1 - 1e-12)
    return np.where(certain, 1.0, np.where(solved, stationary.mean_reward_tilt(inside, beta), 0.0))
