"""Runs that follow a mean field exactly."""

from __future__ import annotations

import numpy as np
import pandas as pd

from echochamber.algorithms import algorithm
from echochamber.analysis.rl_prompts import SHARES, Rollouts, Start
from echochamber.analysis.samples import Answers
from echochamber.analysis.theory import dynamics, trajectories
from echochamber.settings import PolicyGradient

SETTINGS = algorithm(kind="rloo", prompts_per_batch=32, samples_per_prompt=8, learning_rate=1e-3)
CONSTANT = 0.4


def start(share: list[float], accuracy: list[float], seed: int = 0) -> Start:
    rng = np.random.default_rng(seed)
    form = rng.choice(5, p=share, size=(60, 8))
    correct = rng.random(form.shape) < np.array(accuracy)[form]
    blank = np.zeros(form.shape, dtype=int)
    every = {"key": blank, "tokens": blank}
    questions = np.array([f"q{i}" for i in range(60)])
    return Start.of(
        Answers(questions, correct=correct, format=form, finished=blank == 0, degenerate=blank == 1, **every)
    )


def followed(begin: Start, kind: dynamics.Kind, settings: PolicyGradient = SETTINGS, steps: int = 80) -> Rollouts:
    """A run whose shares are those of the pooled mean field, at a learning rate that falls to a tenth."""
    rates = settings.learning_rate * np.linspace(1, 0.1, steps)
    log = pd.DataFrame({"step": np.arange(1, steps + 1), "learning_rate": rates})
    log["completions_sampled"] = 256 * log["step"]
    case = trajectories.Case("", begin, Rollouts(settings, log))
    times = np.concatenate([[0.0], CONSTANT * np.cumsum(rates / settings.learning_rate)[:-1]])
    log[SHARES] = dynamics.trajectory(case.field(kind, "pooled"), *case.state("pooled"), times)[:, 0]
    return Rollouts(settings, log)


ONE = start([0.4, 0.3, 0.3, 0, 0], [0.6, 0.5, 0.2, 0, 0])
OTHER = start([0.1, 0.8, 0.1, 0, 0], [0.7, 0.5, 0.1, 0, 0], seed=1)
