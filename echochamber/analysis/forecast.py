"""The winner of RL, foretold from a base model's samples: shares of its two contested formats and accuracy within them.

A duel is one base model whose two most frequent formats contest. The forecast is a logistic regression of the outcome
on the log odds of the shares and the difference of the accuracies: it knows no format by name (swapping the two flips
both features and the outcome), so that it speaks of any two formats of any model. What the registered study's factorial
taught it lies beside it, in calibration.yaml, for base models of other grids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml

from echochamber.formats import FORMATS
from echochamber.stats import logistic

CALIBRATION = Path(__file__).with_name("calibration.yaml")


@dataclass(frozen=True)
class Duel:
    """One base model, and what RL made of it."""

    cell: str
    """Its mixture."""
    seed: object
    formats: tuple[str, str]
    """The two that contest, in the order of `FORMATS`."""
    features: tuple[float, float]
    """Log odds of the first one's share against the second's; its accuracy less the second's."""
    most_frequent: str
    winner: str


@dataclass(frozen=True)
class Counted:
    """A duel with what it is foretold from: completions by format and right ones, (questions, formats)."""

    duel: Duel
    written: np.ndarray
    right: np.ndarray


class Pick(NamedTuple):
    """A forecast."""

    winner: str
    probability: float
    """Of that winner, at least 1/2."""


def features(
    written: np.ndarray, right: np.ndarray, formats: tuple[str, str], among: Sequence[str] = FORMATS
) -> tuple[float, float]:
    """Of one base model. written, right: counts of completions by format, (formats,), in the order of `among`.

    Half a completion, half right, is added to each of the two: a format never seen has odds, and no accuracy of 0 or 1
    comes from one completion.
    """
    a, b = (among.index(name) for name in formats)
    count_a, count_b = written[a] + 0.5, written[b] + 0.5
    accuracy = (right[a] + 0.25) / count_a - (right[b] + 0.25) / count_b
    return float(np.log(count_a / count_b)), float(accuracy)


def fit(fights: Sequence[Duel]) -> np.ndarray:
    """Coefficients of the two features, from duels with known outcomes."""
    won = np.array([fight.winner == fight.formats[0] for fight in fights])
    return logistic.fit(np.array([fight.features for fight in fights]), won).coefficients


def pick(of: tuple[float, float], formats: tuple[str, str], coefficients: np.ndarray) -> Pick:
    """The forecast for one base model, from its `features`."""
    first = float(logistic.probability(np.array([of]), coefficients)[0])
    return Pick(formats[0], first) if first >= 0.5 else Pick(formats[1], 1 - first)


@cache
def learned() -> np.ndarray:
    """The coefficients in calibration.yaml, as `fit` gives them."""
    coefficients = yaml.safe_load(CALIBRATION.read_text(encoding="utf-8"))["coefficients"]
    return np.array([coefficients["share"], coefficients["accuracy"]])


def leave_one_cell_out(fights: Sequence[Duel]) -> list[Pick]:
    """A forecast for each duel by coefficients from the duels of all other cells."""
    by_cell = {cell: fit([f for f in fights if f.cell != cell]) for cell in {f.cell for f in fights}}
    return [pick(fight.features, fight.formats, by_cell[fight.cell]) for fight in fights]
