"""What the theory of KL-regularised RL says about formats, from samples of the base model (T1). Pure: numpy.

For one question the optimum of E[r] - beta KL(pi || ref) over whole completions is pi(y) proportional to ref(y)
exp(r(y) / beta). With a 0/1 reward a format of share a_i and accuracy p_i in the base model therefore ends with a
share proportional to a_i (1 - p_i + p_i exp(1 / beta)). That holds question by question; the shares are averaged
over questions afterwards (the ratio of averages is another number). beta -> 0 is the base model restricted to right
answers, share_i proportional to a_i p_i; it is also where Expert Iteration without dropping duplicates goes.

Where the KL is a term of the loss and not of the reward, the scale of the advantages matters: the gradient of the
reward is (E[A | right] - E[A | wrong]) times that of E[r] (`echochamber.algorithms.theory`), so the coefficient that
the laws see is beta over that gap, and the gap depends on the mean reward where the policy comes to rest.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import logsumexp

from echochamber.algorithms.theory import Gap


def predicted_shares(written: np.ndarray, right: np.ndarray, beta: float | np.ndarray) -> np.ndarray:
    """Shares of formats at the optimum, question by question.

    written, right: (questions, formats), base completions in a format and right ones among them. beta: the KL
    coefficient, nats, one or (questions, 1); 0 is the limit. Worked out with logarithms, so that exp(1 / beta) cannot
    overflow. Returns (questions, formats), rows that sum to 1. A question without any right completion keeps its base
    shares: so few samples cannot show where its right answers are.
    """
    written, right = np.asarray(written, dtype=float), np.asarray(right, dtype=float)
    _not_negative(beta)
    share = written / written.sum(-1, keepdims=True)
    if np.all(beta == 0):
        solved = right.sum(-1, keepdims=True)
        return np.where(solved > 0, right / np.maximum(solved, 1), share)
    with np.errstate(divide="ignore"):
        log = np.logaddexp(np.log(written - right), np.log(right) + 1 / beta)
    return np.exp(log - logsumexp(log, axis=-1, keepdims=True))


def stationary_k3(written: np.ndarray, right: np.ndarray, beta: float | np.ndarray) -> np.ndarray:
    """Shares where group-centred policy gradient with sequence-level k3 in the loss stands still, question by question.

    pi(y) = ref(y) beta / (beta + rbar - r(y)) with rbar the mean reward under pi. Right answers, of mass P in the
    base model, are re-weighted by beta / (beta + rbar - 1), wrong ones by beta / (beta + rbar); that the weights sum
    to 1 gives rbar^2 + (beta - 1) rbar - beta P = 0 (`mean_reward_k3`).

    Arguments and result as in `predicted_shares`; beta = 0 has the same limit.
    """
    written, right = np.asarray(written, dtype=float), np.asarray(right, dtype=float)
    _not_negative(beta)
    if np.all(beta == 0):
        return predicted_shares(written, right, 0)
    total = written.sum(-1, keepdims=True)
    mass = right.sum(-1, keepdims=True) / total
    mean = mean_reward_k3(mass, beta)
    mixed = (mass > 0) & (mass < 1)
    up = np.divide(beta, beta + mean - 1, out=np.ones_like(mean), where=mixed)
    down = np.divide(beta, beta + mean, out=np.ones_like(mean), where=mixed)
    return (up * right + down * (written - right)) / total


def mean_reward_tilt(mass: np.ndarray, beta: float | np.ndarray) -> np.ndarray:
    """Mean reward at the optimum, from the base model's `mass` of right answers."""
    with np.errstate(divide="ignore"):
        right, wrong = np.log(mass) + 1 / beta, np.log1p(-mass)
    return np.exp(right - np.logaddexp(right, wrong))


def mean_reward_k3(mass: np.ndarray, beta: float | np.ndarray) -> np.ndarray:
    """Mean reward where k3 in the loss stands still."""
    return ((1 - beta) + np.sqrt((1 - beta) ** 2 + 4 * beta * mass)) / 2


def largest_gap(gap: Gap) -> float:
    """Over mean rewards from 0 to 1; a gap is flat or has its largest value at the ends."""
    return float(gap(np.linspace(0, 1, 101)).max())


def with_gap(law: str, gap: Gap) -> Callable[[np.ndarray, np.ndarray, float], np.ndarray]:
    """A law (`tilt` or `k3`) for a KL in the loss beside advantages with this gap: the same arguments and result.

    The mean reward at rest solves rbar = mean_reward(P, beta / gap(rbar)), question by question; of several solutions
    the policy, which comes from P below them, meets the smallest.
    """
    shares, mean_reward = (predicted_shares, mean_reward_tilt) if law == "tilt" else (stationary_k3, mean_reward_k3)

    def scaled(written: np.ndarray, right: np.ndarray, beta: float) -> np.ndarray:
        if beta == 0:
            return shares(written, right, 0)
        mass = right.sum(-1) / written.sum(-1)
        low, high = _first_crossing(lambda r: mean_reward(mass[:, None], beta / gap(r)) - r, mass)
        return shares(written, right, beta / gap((low + high) / 2)[:, None])

    return scaled


def _first_crossing(excess: Callable[[np.ndarray], np.ndarray], start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ends of a tiny bracket of the smallest root above `start`, (questions,), of a function that begins positive."""
    low, high = start[:, None], np.ones_like(start)[:, None]
    for _ in range(5):  # 32 parts five times: 3e-8 of the first bracket
        at = low + (high - low) * np.linspace(0, 1, 33)
        first = np.argmax(excess(at[:, 1:]) <= 0, axis=1)[:, None]
        low, high = np.take_along_axis(at, first, 1), np.take_along_axis(at, first + 1, 1)
    return low[:, 0], high[:, 0]


CountsLaw = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(written, right), (questions, formats) each -> predicted shares."""


def predict(format: np.ndarray, correct: np.ndarray, formats: int, law: CountsLaw) -> tuple[np.ndarray, np.ndarray]:
    """Predicted shares of each question, and how far they move when the samples are halved.

    format: (questions, samples) indices; correct: (questions, samples) bool; law: (written, right) -> shares. The
    prediction from n samples is biased, by about c / n to leading order: a question's rare right answers are missed.
    Both halves of the samples give another prediction with about twice that bias, so (all) - (mean of halves)
    estimates what is still missing from (all). Returns (shares, bias), each (questions, formats); the mean of
    shares + bias over questions is the corrected prediction. bias is NaN with one sample.
    """
    return predict_from_halves(*in_halves(format, correct, formats), law)


def in_halves(format: np.ndarray, correct: np.ndarray, formats: int) -> tuple[np.ndarray, np.ndarray]:
    """Completions in each format and right ones among them, (3, questions, formats) each.

    Of the first half of the samples, of the second, and of what an odd number leaves.
    """
    within = format[:, :, None] == np.arange(formats)
    half = format.shape[1] // 2
    parts = (slice(0, half), slice(half, 2 * half), slice(2 * half, None))
    sides = (within, within & correct[:, :, None])
    written, right = (np.stack([side[:, part].sum(1) for part in parts]) for side in sides)
    return written, right


def predict_from_halves(written: np.ndarray, right: np.ndarray, law: CountsLaw) -> tuple[np.ndarray, np.ndarray]:
    """`predict` from the counts of `in_halves`."""
    predicted = law(written.sum(0), right.sum(0))
    if not written[0].any():
        return predicted, np.full_like(predicted, np.nan)
    return predicted, predicted - (law(written[0], right[0]) + law(written[1], right[1])) / 2


def _not_negative(beta: float | np.ndarray) -> None:
    if np.any(np.asarray(beta) < 0):
        raise ValueError(f"beta: found {beta}, allowed: 0 or more")
