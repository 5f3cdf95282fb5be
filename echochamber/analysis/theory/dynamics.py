"""How fast, and to which format: mean fields of policy gradient on the logits of formats, and drift. Pure.

For one question with shares s_i, accuracies p_i that stay as they are, pbar = sum_i s_i p_i, and fitness f_i = p_i:

    natural   d s_i/dt = s_i (f_i - fbar)     natural gradient, the replicator equation: the most accurate wins
    softmax   d theta_i/dt = s_i (f_i - fbar), s = softmax(theta), so
              d s_i/dt = s_i [s_i (f_i - fbar) - sum_j s_j^2 (f_j - fbar)]: frequent formats move faster

A KL penalty on whole completions, with what happens inside a format left as it is, adds to the fitness: KL(pi || ref)
(k1 in the reward, k2 in the loss) is sum_i s_i log(s_i / a_i) and adds -beta log(s_i / a_i); k3 in the loss, whose
gradient is that of KL(ref || pi) = const - sum_i a_i log s_i, adds beta a_i / s_i (the constants cancel in f - fbar:
d/d theta_k of it is beta (a_k - s_k) either way). The KL of single tokens has no such closed form; it is taken for
that of whole completions. Advantages that are divided by a deviation multiply f_i by the gap between right and wrong
(`echochamber.algorithms.theory`).

Different from the real thing: logits of formats are all there is to learn, questions do not help each other (or are
one and the same, if pooled), p_i does not move, and Adam is no gradient flow. Hypotheses, to be held against runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy

Kind = Literal["natural", "softmax"]
KINDS: tuple[Kind, ...] = ("natural", "softmax")
SMALLEST = 1e-12
"""Below this share a penalty grows no more: a solver's trial step may go anywhere."""


def _one(mean: np.ndarray) -> np.ndarray:
    return np.ones_like(mean)


@dataclass(frozen=True)
class Field:
    """How the logits of formats move."""

    kind: Kind
    penalty: Literal["none", "forward", "reverse"] = "none"
    """`forward`: KL(pi || ref), that is k1 in the reward or k2 in the loss. `reverse`: k3 in the loss."""
    beta: float = 0.0
    gap: Callable[[np.ndarray], np.ndarray] = _one
    """Mean rewards (questions,) -> what the reward is multiplied by."""
    gap_on_penalty: bool = False
    """Whether the penalty is multiplied too: a KL in the reward is part of the return that is divided."""

    def velocity(self, shares: np.ndarray, accuracies: np.ndarray, base: np.ndarray) -> np.ndarray:
        """d theta / dt; all (questions, formats). A format without a base share has none for ever."""
        gap = self.gap((shares * accuracies).sum(-1))[:, None]
        support = base > 0
        penalty = np.zeros_like(shares)
        ratio = np.divide(np.maximum(shares, SMALLEST), base, out=np.ones_like(shares), where=support)
        if self.penalty == "forward":
            penalty = -self.beta * np.log(ratio)
        elif self.penalty == "reverse":
            penalty = self.beta / ratio
        fitness = gap * accuracies + (gap if self.gap_on_penalty else 1.0) * penalty
        excess = np.where(support, fitness - (shares * fitness).sum(-1, keepdims=True), 0.0)
        return excess if self.kind == "natural" else shares * excess


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis; -inf is a share of 0."""
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def trajectory(field: Field, base: np.ndarray, accuracies: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Shares at the given times (increasing, from 0): (times, questions, formats).

    base: (questions, formats), shares at time 0, rows that sum to 1. accuracies: the same shape, 0 to 1 (any number
    where the share is 0).
    """
    base = np.asarray(base, dtype=float)
    accuracies = np.where(base > 0, accuracies, 0.0)
    with np.errstate(divide="ignore"):
        start = np.log(base)
    support = np.isfinite(start)

    def moved(flat: np.ndarray) -> np.ndarray:
        return softmax(np.where(support, flat.reshape(base.shape), -np.inf))

    def slope(_: float, flat: np.ndarray) -> np.ndarray:
        return field.velocity(moved(flat), accuracies, base).ravel()

    solution = scipy.integrate.solve_ivp(
        slope, (0.0, float(times[-1])), np.where(support, start, 0.0).ravel(), t_eval=times, rtol=1e-6, atol=1e-9
    )
    if not solution.success:
        raise ArithmeticError(f"mean field {field.kind}, penalty {field.penalty}: {solution.message}")
    return np.stack([moved(column) for column in solution.y.T])


def fit_time(curve: np.ndarray, times: np.ndarray, clock: np.ndarray, measured: np.ndarray) -> float:
    """The time constant that brings a predicted curve nearest to a run, by least squares over all its batches.

    curve: (times, formats), predicted mean shares. clock: (batches,), how far each batch of the run is, in steps at
    the peak learning rate. measured: (batches, formats). Returns time per step.
    """
    last = max(float(clock[-1]), 1e-12)
    tried = np.geomspace(times[1] / last, times[-1] / last, 400)
    errors = [((at(curve, times, constant * clock) - measured) ** 2).sum() for constant in tried]
    return float(tried[int(np.argmin(errors))])


def at(curve: np.ndarray, times: np.ndarray, when: np.ndarray) -> np.ndarray:
    """A curve (times, ..., formats) at other times, linearly between its own: (when, ..., formats)."""
    when = np.clip(when, times[0], times[-1])
    upper = np.clip(np.searchsorted(times, when), 1, len(times) - 1)
    weight = (when - times[upper - 1]) / (times[upper] - times[upper - 1])
    weight = weight.reshape(-1, *[1] * (curve.ndim - 1))
    return (1 - weight) * curve[upper - 1] + weight * curve[upper]


# --- drift -----------------------------------------------------------------------------------------------------------


def wright_fisher(
    shares: np.ndarray,
    expected: Callable[[np.ndarray], np.ndarray],
    population: int,
    generations: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Shares after so many generations of `population` draws each, from the shares expected of the last: (runs, types).

    shares: (runs, types), the first generation. What finite batches do to shares, in its simplest form: with equal
    fitness the shares of two types differ after t generations by a variance of s (1 - s) (1 - (1 - 1/N)^t).
    """
    for _ in range(generations):
        shares = rng.multinomial(population, expected(shares)) / population
    return shares


def effective_population(completions: float, step: np.ndarray | float, square: np.ndarray | float) -> np.ndarray:
    """The population of the Wright-Fisher model that drifts like natural gradient on batches of `completions`.

    A batch moves a share by step * (1/N) sum_j A_j (1[y_j = i] - s_i). For equal formats that has mean 0 and variance
    step^2 E[A^2] s (1 - s) / N, so the population is N / (step^2 E[A^2]). step: time of the mean field a batch takes.
    """
    return completions / np.maximum(np.square(step) * square, 1e-12)


def simulate(
    field: Field,
    base: np.ndarray,
    accuracies: np.ndarray,
    steps: np.ndarray,
    completions: int,
    runs: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Runs of policy gradient on the logits of one question's formats, batch by batch: (batches + 1, runs, formats).

    base, accuracies: (formats,). steps: (batches,), time of the mean field that each batch takes. In a batch the
    formats and the rewards of `completions` answers are drawn, and the advantages (rewards less the batch's mean) are
    those of the answers drawn; the KL term is its mean field. With `natural` a share can reach 0, and then stays there.
    """
    shares = np.tile(np.asarray(base, dtype=float), (runs, 1))
    reference, rates = shares.copy(), np.tile(np.clip(accuracies, 0, 1), (runs, 1))
    history = [shares]
    for step in steps:
        drawn = rng.multinomial(completions, shares)
        right = rng.binomial(drawn, rates)
        mean = right.sum(1, keepdims=True) / completions
        gap = field.gap(mean[:, 0])[:, None]
        reward = gap * (right - drawn * mean) / completions
        nothing = np.zeros_like(rates)
        alive = np.where(shares > 0, reference, 0.0)
        penalty = Field("natural", field.penalty, field.beta).velocity(shares, nothing, alive) * shares
        gradient = reward + (gap if field.gap_on_penalty else 1.0) * penalty
        if field.kind == "natural":
            shares = np.clip(shares + step * gradient, 0.0, None)
            shares = shares / shares.sum(1, keepdims=True)
        else:
            with np.errstate(divide="ignore"):
                shares = softmax(np.log(shares) + step * gradient)
        history.append(shares)
    return np.stack(history)


def neutral_spread(share: float, populations: np.ndarray) -> float:
    """Variance of a share of equal types after one generation of each of these populations."""
    return float(share * (1 - share) * -np.expm1(np.log1p(-1 / np.maximum(populations, 1 + 1e-9)).sum()))
