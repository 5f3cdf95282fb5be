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
CELLS = SIX | {"mixtures": ["tg+omi1+omi2", *(f"tg+{n}xomi1" for n in range(2, 10))]}
MANY_CELLS = {"model_seeds": [0, 2, 3, 5], "mixtures": [*CELLS["mixtures"], *(f"tg+{n}xomi1" for n in range(10, 38))]}
"""37: with 36 that are foretold without a miss .90 of mixtures can be shown."""


def factorial(share: float, accuracy: float, by_chance: float = 0.0, of_mixture: float = 0.0) -> Truth:
    """Mixtures with tinygsm against omi1 at all shares and, seed by seed, accuracies above and below.

    share, accuracy: log odds that tinygsm wins, for each unit of its log odds and of its accuracy less omi1's.
    by_chance: probability that the winner is the other one.
    of_mixture: standard deviation of what each mixture adds to the log odds of all its models.
    """

    def world(run: Run, benchmark: str, t: float) -> dict:
        now, start = truth(run, benchmark, t), truth(run, benchmark, 0)["shares"]
        rng = np.random.default_rng([*COIN, *run.id.encode()])
        ahead = (-0.25, -0.2, -0.15, 0.15, 0.2, 0.25)[int(run.model.seed) % 6]
        more = np.random.default_rng([*COIN, *run.model.mixture.encode()]).normal(0, of_mixture)
        odds = more + share * np.log(start[0] / start[1]) + accuracy * ahead
        tinygsm = (rng.random() < 1 / (1 + np.exp(-odds))) != (rng.random() < by_chance)
        final = np.array((0.97, 0.01, 0.01, 0.005, 0.005))[[0, 1, 2, 3, 4] if tinygsm else [1, 0, 2, 3, 4]]
        accuracies = np.array((0.4 + ahead, 0.4, 0, 0, 0))
        return now | {"shares": (1 - t) * start + t * final, "accuracies": accuracies, "best": 1.0}

    return world


def _drifting(run: Run, benchmark: str, t: float) -> dict:
    """Two styles and the twin drift either way, all as far on average, and farther than the threshold."""
    rng = np.random.default_rng([*COIN, *run.id.encode()])
    by = {style: rng.choice((-1, 1)) * (0.25 + abs(rng.normal(0, 0.1))) for style in ("quotes", "comments", "twin")}
    return truth(run, benchmark, t) | {"styles": {style: 0.5 + change * t for style, change in by.items()}}


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
    "C7": (SIX, changed(styles=lambda r, b, t, old: {"quotes": 0.5 + 0.1 * t, "twin": 0.5 + 0.1 * t})),
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
    "T1": (SIX, changed(theory=lambda r, b, t, old: old | {"error": 0.2, "error_base": 0.1})),
    "S1": (MANY_CELLS, factorial(share=0.0, accuracy=0.0)),
    "S2": (CELLS | {"model_seeds": list(range(12))}, factorial(share=-2.0, accuracy=-10.0)),
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
"""A study in which `holding` makes a claim hold, and a world in which it fails there."""


def holding(claim: str) -> Truth:
    """The world in which it holds: `truth`, but for claims about a factorial."""
    return {"S1": factorial(share=0.5, accuracy=100.0), "S2": factorial(share=2.0, accuracy=10.0)}.get(claim, truth)


EDGES = {
    "C1": changed(greedy=lambda r, b, t, old: 0.3 + 0.3 * min(1, 0.5 if 0 < t <= 0.25 else 2 * t if t < 0.5 else t)),
    "C2": changed(best=0.7, jitter=0.04),
    "C3": changed(best=0.7),
    "C4": changed(
        shares=lambda r, b, t, old: _coin(r, (0.1, 0.6, 0.3, 0, 0)) if t else np.array((0.3, 0.6, 0.1, 0, 0))
    ),
    "C5": changed(accuracies=lambda r, b, t, old: np.full(5, 0.5)),
    "C6": changed(greedy=0.5),
    "C7": _drifting,
    "C8": changed(shares=lambda r, b, t, old: _coin(r, (0.1, 0.6, 0.3, 0, 0))),
    "C9": changed(collapse=lambda r, b, t, old: 0.2 if r.algorithm == "grpo" else 0.15),
    "C10": changed(greedy=lambda r, b, t, old: 0.5 - 0.05 * (r.algorithm == "ei") * (t > 0)),
    "C11": changed(right_steps=0.3),
    "C12": changed(right_steps=0.3),
    "C13": changed(greedy=lambda r, b, t, old: 0.3 + 0.2 * t),
    "T1": changed(theory=lambda r, b, t, old: old | {"error_neighbour": 0.03}),
    "S1": factorial(share=0.0, accuracy=1000.0, by_chance=0.1),
    "S2": factorial(share=0.0, accuracy=20.0, of_mixture=2.0),
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
