"""Ways to foretell the winner of RL from a base model's samples, each held against cells that it has not seen.

| forecaster | what it says of the first of two formats |
|---|---|
| most frequent | log odds of the shares |
| most accurate | its accuracy less the other's |
| limit | log odds of share times accuracy, question by question (`stationary`, beta 0) |
| T1 | log odds where KL-regularised RL rests, at each coefficient that tests the theory |
| softmax dynamics | log odds after some time of the mean field `softmax` of the pooled shares; the time is fitted |
| calibrated | log odds of the shares and difference of accuracies, both weighed (`forecast`) |

The mean field `natural` adds its time times the difference of accuracies to the log odds of the shares: with a fitted
time it is the calibrated forecast. A forecaster of one number foretells the winner by its sign. What makes a
probability of it, one factor (or two weights), is fitted to all other cells, and so is a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from echochamber.analysis.claims.thresholds import thresholds
from echochamber.analysis.forecast import Counted, Duel
from echochamber.analysis.theory import dynamics, stationary
from echochamber.formats import FORMATS
from echochamber.stats import logistic

TIMES = np.concatenate([[0.0], np.geomspace(0.5, 500, 31)])
"""Of the mean field, in units of its equation: at the first of them nothing has moved, at the last all has."""
SMALLEST = 1e-6
"""Of a share: a format that a law gives nothing has finite odds."""

Scores = Callable[[np.ndarray, np.ndarray, tuple[int, int]], np.ndarray]
"""(written, right, the two formats' numbers), (questions, formats) each -> (variants, features)."""


class Foretold(NamedTuple):
    """What a forecaster said of one duel."""

    forecaster: str
    duel: Duel
    winner: str
    probability: float
    """That the first of the two formats wins."""

    @property
    def loss(self) -> float:
        """Logarithmic, in nats."""
        first = self.duel.winner == self.duel.formats[0]
        return -float(np.log(max(self.probability if first else 1 - self.probability, 1e-300)))

    @property
    def hit(self) -> bool:
        return self.winner == self.duel.winner


def _odds(shares: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    """Log odds of the first of the pair: (..., 1) from (..., formats)."""
    a, b = (np.maximum(shares[..., index], SMALLEST) for index in pair)
    return np.log(a / b)[..., None]


def _rests(beta: float) -> Scores:
    def scores(written: np.ndarray, right: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
        return _odds(stationary.predicted_shares(written, right, beta).mean(0), pair)[None]

    return scores


def _softmax(written: np.ndarray, right: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    total, good = written.sum(0), right.sum(0)
    shares, accuracies = total / total.sum(), good / np.maximum(total, 1)
    moved = dynamics.trajectory(dynamics.Field("softmax"), shares[None], accuracies[None], TIMES)
    return _odds(moved[:, 0], pair)


def forecasters() -> dict[str, Scores | None]:
    """By name; None: the duel's own features."""
    coefficients = sorted(thresholds()["T1"]["coefficients"])
    return {
        "most frequent": lambda written, right, pair: _odds(written.sum(0) / written.sum(), pair)[None],
        "most accurate": None,
        "limit": _rests(0.0),
        **{f"T1, beta {beta:g}": _rests(beta) for beta in coefficients},
        "softmax dynamics": _softmax,
        "calibrated": None,
    }


def leave_one_cell_out(duels: Sequence[Counted]) -> list[Foretold]:
    """What every forecaster says of every duel, fitted on the duels of all other cells.

    Raises ValueError unless there are two cells.
    """
    cells = np.array([counted.duel.cell for counted in duels])
    if len(set(cells)) < 2:
        raise ValueError(f"cells: found {len(set(cells))}, allowed: two or more, one to foretell and one to learn from")
    won = np.array([counted.duel.winner == counted.duel.formats[0] for counted in duels], dtype=float)
    foretold = []
    for name, scores in forecasters().items():
        x = np.stack([_features(name, scores, counted) for counted in duels])  # (duels, variants, features)
        for cell in dict.fromkeys(cells):
            unseen = cells == cell
            variant, coefficients = _fit(x[~unseen], won[~unseen])
            for number in np.flatnonzero(unseen):
                duel, own = duels[number].duel, x[number, variant]
                said = float(logistic.probability(own[None], coefficients)[0])
                first = own[0] > 0 if len(own) == 1 else said >= 0.5
                foretold.append(Foretold(name, duel, duel.formats[0 if first else 1], said))
    return foretold


def _features(name: str, scores: Scores | None, counted: Counted) -> np.ndarray:
    """(variants, features) of one duel."""
    duel = counted.duel
    if scores is None:
        return np.array([duel.features if name == "calibrated" else duel.features[1:]])
    a, b = (FORMATS.index(form) for form in duel.formats)
    return scores(counted.written, counted.right, (a, b))


def _fit(x: np.ndarray, won: np.ndarray) -> tuple[int, np.ndarray]:
    """The variant whose logistic regression fits best, and its coefficients, from (duels, variants, features)."""
    models = [logistic.fit(x[:, variant], won) for variant in range(x.shape[1])]
    best = int(np.argmax([model.likelihood for model in models]))
    return best, models[best].coefficients
