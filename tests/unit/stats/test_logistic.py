"""Firth's logistic regression against closed forms, brute force and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from echochamber.stats import logistic


@pytest.mark.parametrize(("wins", "n"), [(0, 6), (3, 7), (12, 12)])
def test_an_intercept_alone_is_the_log_odds_with_half_a_count_added(wins, n):
    """Jeffreys' prior of a proportion adds 1/2 to successes and to failures (Firth 1993)."""
    model = logistic.fit(np.ones((n, 1)), np.arange(n) < wins)
    assert model.coefficients[0] == pytest.approx(np.log((wins + 0.5) / (n - wins + 0.5)), abs=1e-6)


def test_two_groups_are_the_log_odds_ratio_with_half_a_count_in_each_cell():
    x = np.array([[1, 0]] * 10 + [[1, 1]] * 8)
    y = np.array([1] * 2 + [0] * 8 + [1] * 8)  # 2 of 10, and 8 of 8: no finite estimate by maximum likelihood
    model = logistic.fit(x, y)
    assert model.coefficients[0] == pytest.approx(np.log(2.5 / 8.5), abs=1e-6)
    assert model.coefficients[1] == pytest.approx(np.log(8.5 / 0.5) - np.log(2.5 / 8.5), abs=1e-6)


def drawn(seed: int, n: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(n), rng.normal(size=(n, 2))])
    truth = np.array([0.3, 1.5, -1.0])
    return x, (rng.random(n) < logistic.probability(x, truth)).astype(float), truth


@pytest.mark.parametrize("seed", range(5))
def test_the_fit_maximises_the_penalised_likelihood(seed):
    x, y, _ = drawn(seed)

    def by_hand(b: np.ndarray) -> float:
        p = 1 / (1 + np.exp(-x @ b))
        information = sum(pi * (1 - pi) * np.outer(xi, xi) for pi, xi in zip(p, x, strict=True))
        return -(np.log(np.where(y == 1, p, 1 - p)).sum() + 0.5 * np.log(np.linalg.det(information)))

    found = minimize(
        by_hand, np.zeros(3), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12, "maxiter": 9999}
    )
    model = logistic.fit(x, y)
    assert model.coefficients == pytest.approx(found.x, abs=1e-4)
    assert model.likelihood == pytest.approx(-found.fun, abs=1e-8)


def test_separated_outcomes_give_finite_numbers_and_dependent_features_are_refused():
    x = np.column_stack([np.ones(8), np.arange(8) - 3.5])
    model = logistic.fit(x, np.arange(8) > 3)
    assert np.isfinite(model.coefficients).all()
    assert model.coefficients[1] > 0
    with pytest.raises(ValueError, match="found rank 1, allowed: 2"):
        logistic.fit(np.ones((4, 2)), np.array([0, 1, 0, 1]))
