"""Logistic regression by Firth's penalised likelihood (Firth 1993; Heinze and Schemper 2002). Pure: numpy.

The penalty is half the log determinant of the Fisher information (Jeffreys' prior). Estimates are finite even where a
cell is unanimous, as winners of RL often are, and less biased in small samples.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

STEPS = 200
TOLERANCE = 1e-9


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


def fit(x: np.ndarray, y: np.ndarray) -> Model:
    """Maximise the penalised likelihood by Newton's method with step halving.

    x: (rows, features), with a column of ones for an intercept. y: (rows,) of 0 and 1. Raises ValueError if the
    features are linearly dependent.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if np.linalg.matrix_rank(x) < x.shape[1]:
        raise ValueError(f"features: found rank {np.linalg.matrix_rank(x)}, allowed: {x.shape[1]}, one a feature")
    coefficients = np.zeros(x.shape[1])
    loglik = penalised(x, y, coefficients)
    for _ in range(STEPS):
        p = probability(x, coefficients)
        weights = p * (1 - p)
        information = (x * weights[:, None]).T @ x
        leverage = weights * np.einsum("ij,jk,ik->i", x, np.linalg.pinv(information), x)
        score = x.T @ (y - p + leverage * (0.5 - p))
        step = np.linalg.lstsq(information, score, rcond=None)[0]
        step *= min(1.0, 5.0 / max(np.abs(step).max(), 1e-300))
        while (tried := penalised(x, y, coefficients + step)) < loglik - TOLERANCE and np.abs(step).max() > TOLERANCE:
            step /= 2
        coefficients, loglik = coefficients + step, max(loglik, tried)
        if np.abs(step).max() < TOLERANCE:
            break
    return Model(coefficients, penalised(x, y, coefficients))
