"""A claim, what it measures in a study, and the words that all claims share for conditions of a study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from echochamber.analysis.claims.verdicts import Part
from echochamber.analysis.measured import Measured
from echochamber.analysis.studies import Condition, StudyView
from echochamber.formats import FORMATS
from echochamber.settings import PolicyGradient


@dataclass(frozen=True)
class Where:
    """The setting of a row; None: the row is about several values of that axis. A row about a pair of algorithms names
    both, `grpo and ppo`."""

    mixture: str | None = None
    scale: str | None = None
    algorithm: str | None = None
    prompts: str | None = None
    benchmark: str | None = None

    @classmethod
    def of(cls, condition: Condition, benchmark: str | None = None, **differ: str | None) -> Where:
        """A condition's, but for the axes given."""
        return cls(**(vars(condition) | {"benchmark": benchmark} | differ))

    def named(self, axis: str, name: str) -> bool:
        """Whether the row is about this value of an axis."""
        own = getattr(self, axis)
        return own is None or name in own.split(" and ")

    def label(self) -> str:
        """In one line, e.g. `tg+omi1 · nano · grpo`."""
        axes = (self.mixture, self.scale, self.algorithm)
        return " · ".join(axis for axis in axes if axis) + (f" on {self.benchmark}" if self.benchmark else "")


@dataclass(frozen=True)
class Finding:
    """A row: a claim about one setting of one study."""

    where: Where
    parts: tuple[Part, ...]

    @classmethod
    def untestable(cls, where: Where, what: str, reason: str) -> Finding:
        """A row that says why the setting cannot speak of the claim."""
        return cls(where, (Part(f"{what}: {reason}", missing=reason),))


@dataclass(frozen=True)
class Claim:
    """What is claimed, in words; how it is measured; the kind of figure that shows it.

    `measure` takes a study and thresholds.yaml and returns one row for each setting that the claim is about; none if
    the study has no such setting, which `missing` puts into words.
    """

    name: str
    hypothesis: str
    figure: str
    measure: Callable[[StudyView, dict], list[Finding]]
    missing: str
    winner: bool = False
    """Whether a part of it is about which format wins."""
    of_models: bool = False
    """Whether a part of it compares base models, of which RL seeds are no replicates (`between_models`)."""


def settled(view: StudyView, *, policy_gradient: bool = False) -> list[Condition]:
    """Conditions whose own question set is measured."""
    return [
        c
        for c in view.conditions
        if view.own(c.prompts) and (not policy_gradient or isinstance(view.algorithm(c), PolicyGradient))
    ]


def own(view: StudyView, condition: Condition) -> str:
    """The benchmark on the test split of the condition's own questions; it is among `settled`."""
    benchmark = view.own(condition.prompts)
    assert benchmark is not None
    return benchmark


def start(view: StudyView, condition: Condition, benchmark: str | None = None) -> Measured:
    """The base models of a condition."""
    return view.measured(condition, benchmark or own(view, condition), 0)


def end(view: StudyView, condition: Condition, benchmark: str | None = None) -> Measured:
    """The models at the end of RL."""
    return view.measured(condition, benchmark or own(view, condition), view.last_step(condition))


def ends(view: StudyView, condition: Condition, benchmark: str | None = None) -> tuple[Measured, Measured]:
    """Before and after RL, of the same replicates on the same questions."""
    before, after = start(view, condition, benchmark), end(view, condition, benchmark)
    before.after(after)
    return before, after


def winner(view: StudyView, condition: Condition) -> str:
    """The study's final format: with the largest share after RL, on the mean of the replicates."""
    return FORMATS[int(end(view, condition).shares.mean(0).argmax())]


def most_frequent(before: Measured) -> tuple[str, str]:
    """The two formats that base models write most, on the mean of the replicates."""
    first, second = np.argsort(-before.shares.mean(0), kind="stable")[:2]
    return FORMATS[first], FORMATS[second]


def contested(view: StudyView, condition: Condition, rules: dict) -> bool:
    """Whether the base model writes at least two formats."""
    return bool(np.sort(start(view, condition).shares.mean(0))[-2] >= rules["contested"])


def between_models(view: StudyView, values: np.ndarray) -> np.ndarray:
    """Replicates of a comparison between base models: with one pretraining seed there is one, whatever RL's seeds."""
    if view.runs["model_seed"].nunique() > 1:
        return values
    return values[:1] if values.dtype.kind in "US" else values.mean(0, keepdims=True)


def paired(*sides: Measured) -> None:
    """Raise ValueError unless all are of the same replicates and questions."""
    for side in sides[1:]:
        sides[0].after(side)


def trend(positions: np.ndarray, values: list[np.ndarray]) -> np.ndarray:
    """What a straight line makes of `values` for each step of `positions` (least squares, replicate by replicate).

    values: one array for each position, (replicates, questions). Returns the same shape: a linear contrast, whose mean
    is the slope.
    """
    centred = positions - positions.mean()
    weights = centred / (centred**2).sum()
    return np.tensordot(weights, np.stack(values), axes=1)
