"""Logistic regression by Firth's penalised likelihood (Firth 1993; Heinze and Schemper 2002). Pure: numpy and scipy.

The penalty is half the log determinant of the Fisher information (Jeffreys' prior). Estimates are finite even where a
cell is unanimous, as winners of RL often are, and less biased in small samples. Intervals and tests are by the profile
of the penalised likelihood, since Wald's fail where estimates are large.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy

STEPS = 200
TOLERANCE = 1e-9
FAR = 200.0
"""Profiles are followed this far from the estimate; beyond it an end is infinite."""


class Model(NamedTuple):
    """A fit."""

    coefficients: np.ndarray
    """(features,)."""
    likelihood: float
    """Penalised log likelihood."""


def probability(x: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Of a success: (rows,) from (rows, features)."""
    eta: np.ndarray = np.asarray(x, dtype=float) @ coefficients
    return 0.5 * (1 + np.tanh(eta / 2))


def penalised(x: np.ndarray, y: np.ndarray, coefficients: np.ndarray) -> float:
    """Log likelihood plus half the log determinant of the information; -inf where that is singular."""
    eta = x @ coefficients
    p = probability(x, coefficients)
    sign, log_determinant = np.linalg.slogdet((x * (p * (1 - p))[:, None]).T @ x)
    if sign <= 0:
        return -np.inf
    return float((y * eta - np.logaddexp(0, eta)).sum() + log_determinant / 2)


def fit(x: np.ndarray, y: np.ndarray, fixed: dict[int, float] | None = None) -> Model:
    """Maximise the penalised likelihood by Newton's method with step halving.

    x: (rows, features), with a column of ones for an intercept. y: (rows,) of 0 and 1. fixed: coefficients held at a
    value; the penalty stays that of all of them. Raises ValueError if the features are linearly dependent.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if np.linalg.matrix_rank(x) < x.shape[1]:
        raise ValueError(f"features: found rank {np.linalg.matrix_rank(x)}, allowed: {x.shape[1]}, one a feature")
    coefficients = np.zeros(x.shape[1])
    for index, value in (fixed or {}).items():
        coefficients[index] = value
    free = [i for i in range(x.shape[1]) if i not in (fixed or {})]
    loglik = penalised(x, y, coefficients)
    for _ in range(STEPS if free else 0):
        p = probability(x, coefficients)
        weights = p * (1 - p)
        information = (x * weights[:, None]).T @ x
        leverage = weights * np.einsum("ij,jk,ik->i", x, np.linalg.pinv(information), x)
        score = x.T @ (y - p + leverage * (0.5 - p))
        step = np.zeros_like(coefficients)
        step[free] = np.linalg.lstsq(information[np.ix_(free, free)], score[free], rcond=None)[0]
        step *= min(1.0, 5.0 / max(np.abs(step).max(), 1e-300))
        while (tried := penalised(x, y, coefficients + step)) < loglik - TOLERANCE and np.abs(step).max() > TOLERANCE:
            step /= 2
        coefficients, loglik = coefficients + step, max(loglik, tried)
        if np.abs(step).max() < TOLERANCE:
            break
    return Model(coefficients, penalised(x, y, coefficients))


def one_sided(x: np.ndarray, y: np.ndarray, index: int, value: float) -> tuple[float, float]:
    """p-values that speak for "the coefficient is above the value" and for "below": the signed root of the ratio."""
    full_fit = fit(x, y)
    ratio = max(0.0, 2 * (full_fit.likelihood - fit(x, y, {index: value}).likelihood))
    root = np.sign(full_fit.coefficients[index] - value) * np.sqrt(ratio)
    return float(scipy.stats.norm.sf(root)), float(scipy.stats.norm.cdf(root))


def profile_interval(x: np.ndarray, y: np.ndarray, index: int, level: float = 0.95) -> tuple[float, float]:
    """Ends where the profile of the penalised likelihood falls by half the quantile of chi-squared with one degree."""
    full_fit = fit(x, y)
    estimate, drop = float(full_fit.coefficients[index]), scipy.stats.chi2.ppf(level, 1) / 2

    def below(value: float) -> float:
        return fit(x, y, {index: value}).likelihood - full_fit.likelihood + drop

    ends = []
    for direction in (-1.0, 1.0):
        width = 1.0
        while below(estimate + direction * width) > 0 and width < FAR:
            width *= 2
        far = estimate + direction * width
        low, high = sorted((estimate, far))
        ends.append(direction * np.inf if width >= FAR else float(scipy.optimize.brentq(below, low, high, xtol=1e-6)))
    return ends[0], ends[1]
