"""What the theory of KL-regularised RL says about formats, from samples of the base model (T1). Pure: numpy.

For one question the optimum of E[r] - beta KL(pi || ref) over whole completions is pi(y) proportional to ref(y)
exp(r(y) / beta). With a 0/1 reward a format of share a_i and accuracy p_i in the base model therefore ends with a
share proportional to a_i (1 - p_i + p_i exp(1 / beta)). That holds question by question; the shares are averaged
over questions afterwards (the ratio of averages is another number). beta -> 0 is the base model restricted to right
answers, share_i proportional to a_i p_i; it is also where Expert Iteration without dropping duplicates goes.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp


def predicted_shares(written: np.ndarray, right: np.ndarray, beta: float) -> np.ndarray:
    """Shares of formats at the optimum, question by question.

    written, right: (questions, formats), base completions in a format and right ones among them. beta: the KL
    coefficient, nats; 0 is the limit. Worked out with logarithms, so that exp(1 / beta) cannot overflow. Returns
    (questions, formats), rows that sum to 1. A question without any right completion keeps its base shares: so few
    samples cannot show where its right answers are.
    """
    written, right = np.asarray(written, dtype=float), np.asarray(right, dtype=float)
    if beta < 0:
        raise ValueError(f"beta: found {beta}, allowed: 0 or more")
    share = written / written.sum(-1, keepdims=True)
    if beta == 0:
        solved = right.sum(-1, keepdims=True)
        return np.where(solved > 0, right / np.maximum(solved, 1), share)
    with np.errstate(divide="ignore"):
        log = np.logaddexp(np.log(written - right), np.log(right) + 1 / beta)
    return np.exp(log - logsumexp(log, axis=-1, keepdims=True))


def predict(
    format: np.ndarray, correct: np.ndarray, formats: int, beta: float, law: str = "tilt"
) -> tuple[np.ndarray, np.ndarray]:
    """Mean predicted shares over questions, and how far they move when the samples are halved.

    format: (questions, samples) indices; correct: (questions, samples) bool. The prediction from n samples is
    biased, by about c / n to leading order: a question's rare right answers are missed. Both halves of the samples
    give another prediction with about twice that bias, so (all) - (mean of halves) estimates what is still missing
    from (all). Returns (shares, bias), each (formats,); shares + bias is the corrected prediction. bias is NaN with
    one sample. law: `tilt`, or `k3` for `stationary_k3`.
    """
    law_of = predicted_shares if law == "tilt" else stationary_k3

    def mean_shares(part: slice) -> np.ndarray:
        within = format[:, part, None] == np.arange(formats)
        written = within.sum(1)
        return law_of(written, (within & correct[:, part, None]).sum(1), beta).mean(0)

    n = format.shape[1]
    whole = mean_shares(slice(None))
    if n < 2:
        return whole, np.full(formats, np.nan)
    halves = (mean_shares(slice(0, n // 2)) + mean_shares(slice(n // 2, 2 * (n // 2)))) / 2
    return whole, whole - halves


def stationary_k3(written: np.ndarray, right: np.ndarray, beta: float) -> np.ndarray:
    """Shares where group-centred policy gradient with sequence-level k3 in the loss stands still, question by question.

    pi(y) = ref(y) beta / (beta + rbar - r(y)) with rbar the mean reward under pi. Right answers, of mass P in the
    base model, are re-weighted by beta / (beta + rbar - 1), wrong ones by beta / (beta + rbar); that the weights sum
    to 1 gives rbar^2 + (beta - 1) rbar - beta P = 0. Undivided advantages of a large group (division by the sampled
    standard deviation changes the effective coefficient).

    Arguments and result as in `predicted_shares`; beta = 0 has the same limit.
    """
    written, right = np.asarray(written, dtype=float), np.asarray(right, dtype=float)
    if beta == 0:
        return predicted_shares(written, right, 0)
    total = written.sum(-1, keepdims=True)
    mass = right.sum(-1, keepdims=True) / total
    mean = ((1 - beta) + np.sqrt((1 - beta) ** 2 + 4 * beta * mass)) / 2
    some, some_not = mass > 0, mass < 1
    up = np.divide(beta, beta + mean - 1, out=np.ones_like(mean), where=some & some_not)
    down = np.divide(beta, beta + mean, out=np.ones_like(mean), where=some & some_not)
    return (up * right + down * (written - right)) / total
