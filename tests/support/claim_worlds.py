"""Worlds for each claim: studies in which it is true, and worlds in which it is false or just not true."""

from __future__ import annotations

import numpy as np
from simulated_claims import EIGHT, SIX, Truth, truth

from echochamber.grid.ids import Run


def changed(**values) -> Truth:
    """The truth with other values; a function is called with (run, benchmark, t, old value)."""

    def world(run: Run, benchmark: str, t: float) -> dict:
        now = truth(run, benchmark, t)
        return now | {k: v(run, benchmark, t, now[k]) if callable(v) else v for k, v in values.items()}

    return world


FOUR = ["pico", "nano", "micro", "mini"]
TRANSFER = {"benchmarks": ["synth-gsm", "synth-math"]}
LADDER = {"algorithms": ["grpo-kl0", "grpo-kl.01", "grpo-kl.1"]}
CELLS = {"mixtures": ["tg+omi1+omi2", "tg+2xomi1", "tg+4xomi1", "tg+8xomi1"]}
CASES = {
    "C1": (SIX, changed(greedy=lambda run, b, t, old: 0.3 + 0.3 * t**3)),
    "C2": (SIX, changed(best=lambda r, b, t, old: 0.7 + 0.2 * t)),
    "C3": (
        LADDER | {"model_seeds": list(range(20))},
        changed(greedy=lambda r, b, t, old: old - 0.4 * t * ("kl.1" in r.algorithm)),
    ),
    "C4": (
        EIGHT | {"mixtures": ["tg+4xomi1"]},
        changed(shares=lambda r, b, t, old: np.array((0.1, 0.8, 0.1, 0, 0))),
    ),
    "C5": (
        EIGHT | {"mixtures": ["tg+4xomi1", "tg+8xomi1"]},
        changed(accuracies=lambda r, b, t, old: np.full(5, 0.7 if "8x" in r.model.mixture else 0.3)),
    ),
    "C6": (
        SIX | {"mixtures": ["tg", "2xtg", "4xtg"]},
        changed(greedy=lambda r, b, t, old: 0.8 - 0.1 * len(r.model.mixture)),
    ),
    "C8": (SIX | {"scales": FOUR}, changed(shares=lambda r, b, t, old: np.array((0.9, 0.1, 0, 0, 0)))),
    "C9": (SIX | {"algorithms": ["grpo", "ppo"]}, changed(collapse=lambda r, b, t, old: 0.3 - old)),
    "C10": (
        SIX | {"algorithms": ["ppo", "ei"]},
        changed(greedy=lambda r, b, t, old: old + 0.5 * t * (r.algorithm == "ei")),
    ),
    "C11": (
        SIX | TRANSFER | {"mixtures": ["tg", "tg+omi1+omi2"]},
        changed(right_steps=lambda r, b, t, old: 0.5 - 0.1 * t),
    ),
    "C12": (
        SIX | {"benchmarks": ["synth-gsm", "synth-hard"]},
        changed(right_steps=lambda r, b, t, old: 0.3 - 0.1 * t),
    ),
    "C13": (
        SIX | TRANSFER | {"prompts": ["synth-gsm", "synth-math"]},
        changed(greedy=lambda r, b, t, old: 0.3 + t * (0.4 if r.prompts == b == "synth-math" else 0.2)),
    ),
    "S3": (
        SIX,
        changed(
            shares=lambda r, b, t, old: np.array((0.5, 0.3, 0.2, 0, 0)),
            accuracies=lambda r, b, t, old: np.full(5, 0.3 + 0.3 * t),
        ),
    ),
    "S4": (
        EIGHT | {"algorithms": ["grpo", "grpo-written"]},
        changed(shares=lambda r, b, t, old: np.array((0.9, 0.1, 0, 0, 0))),
    ),
}
"""A study in which `truth` makes a claim hold, and a world in which it fails there."""

EDGES = {
    "C1": changed(greedy=lambda r, b, t, old: 0.3 + 0.3 * min(1, 0.5 if 0 < t <= 0.25 else 2 * t if t < 0.5 else t)),
    "C2": changed(best=0.7),
    "C3": changed(best=0.7),
    "C4": changed(
        shares=lambda r, b, t, old: _coin(r, (0.1, 0.6, 0.3, 0, 0)) if t else np.array((0.3, 0.6, 0.1, 0, 0))
    ),
    "C5": changed(accuracies=lambda r, b, t, old: np.full(5, 0.5)),
    "C6": changed(greedy=0.5),
    "C8": changed(shares=lambda r, b, t, old: _coin(r, (0.1, 0.6, 0.3, 0, 0))),
    "C9": changed(collapse=0.1),
    "C10": changed(greedy=lambda r, b, t, old: 0.5 - 0.05 * (r.algorithm == "ei") * (t > 0)),
    "C11": changed(right_steps=0.3),
    "C12": changed(right_steps=0.3),
    "C13": changed(greedy=lambda r, b, t, old: 0.3 + 0.2 * t),
    "S3": changed(
        shares=lambda r, b, t, old: np.array((0.4 + 0.2 * t, 0.6 - 0.2 * t, 0, 0, 0)),
        accuracies=lambda r, b, t, old: np.array((0.6, 0.2, 0, 0, 0)) + 0.08 * t,
        best=1.0,
    ),
    "S4": changed(shares=lambda r, b, t, old: _coin(r, (0.1, 0.6, 0.3, 0, 0))),
}
"""Worlds in which a claim is just not true: one of its numbers is the threshold itself, or a winner is a coin."""


def _coin(run: Run, shares: tuple[float, ...]) -> np.ndarray:
    """These shares, or with probability 1/2 those with the first two exchanged: a coin of each run and grid."""
    heads = np.random.default_rng([*COIN, *run.id.encode()]).random() < 0.5
    return np.array(shares)[[0, 1, 2, 3, 4] if heads else [1, 0, 2, 3, 4]]


COIN = [0]
