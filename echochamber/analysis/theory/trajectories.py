"""The mean fields of `theory.dynamics` held against runs: shares over rollout batches, winner, steps to dominance.

Both fields start from the base model's samples on the RL prompts, once question by question and averaged, once with
all questions pooled into one (`scope`): a network is between the two. One number is fitted, the time that a rollout
batch at the peak learning rate takes, one for each field, scope and learning rate: on the first run of the grid or
study that has this learning rate, and tested on the others. Row t of a metrics.csv tells of the policy after t - 1
batches, whose clock is the sum of their learning rates over the peak.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from echochamber.algorithms.theory import Theory
from echochamber.analysis.rl_prompts import Rollouts, Start
from echochamber.analysis.theory.dynamics import KINDS, Field, Kind, at, fit_time, simulate, trajectory
from echochamber.analysis.theory.predictions import WRITTEN
from echochamber.formats import FORMATS
from echochamber.settings import PolicyGradient
from echochamber.stats.columns import FORMAT, Column
from echochamber.stats.intervals import resampling_weights

FIELD = (
    Column("field", "text", "the mean field (docs/theory.md); empty: measured"),
    Column("scope", "text", "`question`: each question on its own; `pooled`: all as one"),
    Column("fitted", "boolean", "its time constant is fitted on this run; empty: measured"),
)
COLUMNS = (
    *FIELD,
    Column("step", "integer", "rollout batch"),
    Column("completions_sampled", "number", "before this batch"),
    Column("measure", "text", "`predicted`, `drift` or `measured`"),
    FORMAT,
)
OUTCOME = (
    *FIELD,
    Column("measure", "text", "`time_constant`, `error`, `winner_share`, `steps_to_dominance`"),
    FORMAT,
)
SCOPES = ("question", "pooled")
TIMES = np.concatenate([[0.0], np.geomspace(1e-2, 300, 200)])
"""Where a mean field is worked out; a run's batches lie between."""
DOMINANT = 0.9
"""A format dominates from this share on."""
RESAMPLES = 200
SIMULATED = 200
"""Runs that show the drift of finite batches."""
KEPT = 64
"""Curves held in memory for later runs, a few MB each."""
SHOWN = 40
"""Batches of a trajectory that the table holds; longer runs are thinned."""


@dataclass(frozen=True)
class Case:
    """One run: what it started from, and what it did."""

    id: str
    start: Start
    rollouts: Rollouts

    @property
    def settings(self) -> PolicyGradient:
        return self.rollouts.settings

    @property
    def theory(self) -> Theory:
        return self.settings.theory

    @cached_property
    def clock(self) -> np.ndarray:
        """How far each batch is: learning rates so far over the peak, (batches,), from 0."""
        rates = self.rollouts.log["learning_rate"].to_numpy(dtype=float) / self.settings.learning_rate
        return np.concatenate([[0.0], np.cumsum(rates)[:-1]])

    def state(self, scope: str) -> tuple[np.ndarray, np.ndarray]:
        """(shares, accuracies) of the base model, (questions, formats) or (1, formats); accuracy 0 where unwritten."""
        written, right = self.start.counts()
        if scope == "pooled":
            written, right = written.sum(0, keepdims=True), right.sum(0, keepdims=True)
        return _state(written, right)

    def field(self, kind: Kind, scope: str) -> Field:
        kl = self.settings.kl
        penalty = "none" if kl.place == "none" else "reverse" if kl.estimator == "k3" else "forward"
        gap = _gap(self.theory, whole_batch=scope == "question")
        return Field(kind, penalty, kl.coefficient, gap, gap_on_penalty=kl.place == "reward")


def cases(runs: Iterable[tuple[str, Start, Rollouts]]) -> list[Case]:
    """The runs that the mean fields speak of: policy gradient with a theory, rewarded for right answers, logged."""
    return [
        Case(id, begin, drawn)
        for id, begin, drawn in runs
        if isinstance(drawn.settings, PolicyGradient)
        and drawn.settings.theory is not None
        and drawn.settings.rule is not None
        and len(drawn.log) > 1
    ]


def fitted_on(cases: list[Case]) -> dict[float, str]:
    """Learning rate -> id of the run that its time constant is fitted on: the first in the order of the grid."""
    first: dict[float, str] = {}
    for case in cases:
        first.setdefault(case.settings.learning_rate, case.id)
    return first


def predict(cases: list[Case]) -> Iterator[tuple[str, list[dict], list[dict]]]:
    """(id, rows of a trajectory, rows of outcomes) for each run; columns `COLUMNS` or `OUTCOME`, and an estimate."""
    fits = fitted_on(cases)
    constants: dict[tuple, float] = {}
    curves: dict[tuple, tuple[np.ndarray, np.ndarray]] = {}  # runs that differ in seed or length share them
    for case in cases:
        fitted = fits[case.settings.learning_rate] == case.id
        rows, outcomes = _measured(case)
        for kind in KINDS:
            for scope in SCOPES:
                s = case.settings
                same = (id(case.start), kind, scope, s.kind, s.samples_per_prompt, s.kl)
                curve, drawn = curves[same] = curves.get(same) or mean_curves(case, kind, scope)
                if len(curves) > KEPT:
                    del curves[next(iter(curves))]
                key = (kind, scope, case.settings.learning_rate)
                if fitted:
                    constants[key] = fit_time(curve, TIMES, case.clock, case.rollouts.shares)
                when = constants[key] * case.clock
                common = {"field": kind, "scope": scope, "fitted": fitted}
                size = {"n_questions": case.start.questions, "n_samples": case.start.drawn, "n_seeds": 1}
                predicted, resampled = at(curve, TIMES, when), at(drawn, TIMES, when)
                band = np.quantile(resampled, [0.025, 0.975], axis=1)
                rows += _rows(case, common | {"measure": "predicted"} | size, predicted, *band)
                outcomes += [common | size | row for row in _outcomes(case, predicted, resampled)]
                outcomes.append(common | size | _only("time_constant", None, constants[key]))
                if scope == "pooled":
                    runs = _drift(case, kind, constants[key])
                    size = {"n_questions": 1, "n_samples": _batch(case), "n_seeds": SIMULATED}
                    rows += _rows(
                        case,
                        common | {"measure": "drift"} | size,
                        runs.mean(1),
                        *np.quantile(runs, [0.025, 0.975], axis=1),
                    )
                    wins = np.bincount(runs[-1].argmax(-1), minlength=len(FORMATS)) / SIMULATED
                    lost = (runs[-1] <= 0).mean(0)
                    for name, win, gone, base in zip(FORMATS, wins, lost, case.start.shares(), strict=True):
                        if base >= WRITTEN:
                            outcomes.append(common | size | _only("wins_by_drift", name, win))
                            outcomes.append(common | size | _only("lost_by_drift", name, gone))
        yield case.id, rows, outcomes


def winner(shares: np.ndarray) -> str:
    return FORMATS[int(np.argmax(shares))]


def _measured(case: Case) -> tuple[list[dict], list[dict]]:
    common = {"field": None, "scope": None, "fitted": None, "measure": "measured", "n_seeds": 1}
    common |= {"n_questions": case.settings.prompts_per_batch, "n_samples": _batch(case)}
    shares = case.rollouts.shares
    outcomes = [_only("winner_share", winner(case.rollouts.end()["estimate"]), case.rollouts.end()["estimate"].max())]
    outcomes.append(_only("steps_to_dominance", None, _dominance(case, shares)))
    empty = np.full_like(shares, np.nan)
    return _rows(case, common, shares, empty, empty), [common | row for row in outcomes]


def _outcomes(case: Case, predicted: np.ndarray, resampled: np.ndarray) -> list[dict]:
    """Error over the run, winner at its end, and steps to dominance, with percentile intervals over questions."""
    counted = case.start.shares() >= WRITTEN
    target = case.rollouts.shares

    def error(curves: np.ndarray) -> np.ndarray:
        return np.sqrt(((curves - target)[..., counted] ** 2).mean((-2, -1)))

    several = np.moveaxis(resampled, 1, 0)
    end = predicted[case.rollouts.last].mean(0)
    steps = np.array([_dominance(case, curve) for curve in several])
    low, high = np.quantile(np.where(np.isnan(steps), np.inf, steps), [0.025, 0.975], method="inverted_cdf")
    ends = several[:, case.rollouts.last].mean(1)[:, end.argmax()]
    return [
        {"measure": "error", "format": None, "estimate": float(error(predicted))}
        | dict(zip(("low", "high"), np.quantile(error(several), [0.025, 0.975]), strict=True)),
        {"measure": "winner_share", "format": winner(end), "estimate": float(end.max())}
        | dict(zip(("low", "high"), np.quantile(ends, [0.025, 0.975]), strict=True)),
        {"measure": "steps_to_dominance", "format": None, "estimate": _dominance(case, predicted)}
        | {"low": low, "high": high},
    ]


def _only(measure: str, name: str | None, value: float) -> dict:
    return {"measure": measure, "format": name, "estimate": float(value), "low": np.nan, "high": np.nan}


def _dominance(case: Case, shares: np.ndarray) -> float:
    """The first rollout batch in which one format has the share `DOMINANT`; NaN: none."""
    dominant = (shares >= DOMINANT).any(-1)
    return float(case.rollouts.log["step"].iloc[int(dominant.argmax())]) if dominant.any() else float("nan")


def _batch(case: Case) -> int:
    return case.settings.prompts_per_batch * case.settings.samples_per_prompt


def _rows(case: Case, common: dict, estimate: np.ndarray, low: np.ndarray, high: np.ndarray) -> list[dict]:
    """One row for each format that base model or run wrote and (up to `SHOWN`) rollout batch."""
    log = case.rollouts.log
    present = (case.start.shares() >= WRITTEN) | (case.rollouts.shares.max(0) >= WRITTEN)
    shown = np.unique(np.linspace(0, len(log) - 1, min(SHOWN, len(log))).round().astype(int))
    return [
        common
        | {"step": int(log["step"].iloc[i]), "completions_sampled": float(log["completions_sampled"].iloc[i])}
        | {"format": name, "estimate": estimate[i, j], "low": low[i, j], "high": high[i, j]}
        for i in shown
        for j, name in enumerate(FORMATS)
        if present[j]
    ]


def mean_curves(case: Case, kind: Kind, scope: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean shares at `TIMES`, (times, formats), and those of resampled questions, (times, resamples, formats)."""
    weights = resampling_weights(case.start.questions)[:RESAMPLES]
    field = case.field(kind, scope)
    if scope == "question":
        each = trajectory(field, *case.state(scope), TIMES)
        return each.mean(1), np.einsum("rq,tqf->trf", weights, each) / case.start.questions
    written, right = case.start.counts()
    states = _state(
        np.concatenate([written.sum(0)[None], weights @ written]), np.concatenate([right.sum(0)[None], weights @ right])
    )
    shares = trajectory(field, *states, TIMES)
    return shares[:, 0], shares[:, 1:]


def _state(written: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    shares = written / written.sum(-1, keepdims=True)
    return shares, np.divide(right, written, out=np.zeros(written.shape), where=written > 0)


def _drift(case: Case, kind: Kind, constant: float) -> np.ndarray:
    """Simulated runs from the pooled base model at the run's batch size: (batches, runs, formats)."""
    shares, accuracies = (a[0] for a in case.state("pooled"))
    steps = constant * np.diff(case.clock)
    rng = np.random.default_rng(0)
    return simulate(case.field(kind, "pooled"), shares, accuracies, steps, _batch(case), SIMULATED, rng)


def _gap(theory: Theory, *, whole_batch: bool) -> Callable[[np.ndarray], np.ndarray]:
    """Mean rewards -> what an algorithm multiplies the gradient of the reward by.

    Whitened advantages are divided by their deviation over the batch: here by that of the rewards around their
    questions' means.
    """
    if theory.gap is None:

        def whitened(mean: np.ndarray) -> np.ndarray:
            variance = np.clip(mean * (1 - mean), 0.01, None)
            return 1 / np.sqrt(np.full_like(variance, variance.mean()) if whole_batch else variance)

        return whitened
    known = np.linspace(0, 1, 501)
    return partial(np.interp, xp=known, fp=theory.gap(known))
