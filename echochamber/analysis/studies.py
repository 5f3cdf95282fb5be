"""A study's part of the tables, and the words for it: what figures and claims draw from.

A condition is a setting of a study whose runs differ in seeds only: (mixture, scale, algorithm, prompts).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from echochamber.analysis import replicates
from echochamber.analysis.measured import Measured, measured
from echochamber.formats import DEFAULT_RULE, FORMATS
from echochamber.grid.expansion import Grid
from echochamber.settings import Algorithm, ExpertIteration, PolicyGradient, Scale, Study
from echochamber.settings.ladders import but_for_kl, ladders
from echochamber.settings.roles import Role, own_benchmark, role
from echochamber.stats.intervals import t_interval

CONDITION = ["mixture", "scale", "algorithm", "prompts"]
SEEDS_FOR_A_BAND = 3
"""With fewer replicates the interval over seeds says nothing (t is 12.7 for two): each is shown by itself."""

SHARES = [f"share_{name}" for name in FORMATS]
"""Columns of a run's metrics.csv: shares of the formats among the completions of a rollout batch."""


@dataclass(frozen=True)
class Condition:
    """Runs that differ in seeds only."""

    mixture: str
    scale: str
    algorithm: str
    prompts: str

    def label(self, *without: str) -> str:
        """The axes in one line, e.g. `tg+omi1 · nano · grpo`."""
        return " · ".join(getattr(self, axis) for axis in CONDITION[:3] if axis not in without)


class StudyView:
    """One study of a grid: its runs, their rows of the tables (by the default rule), and its settings."""

    def __init__(self, grid: Grid, name: str, tables: Mapping[str, pd.DataFrame]) -> None:
        self.name, self.file = name, grid.file
        self._known: dict[tuple, Measured] = {}
        self.study: Study = grid.file.studies[name]
        self.world = grid.file.world
        ids = [run.id for run in grid.study_runs(self.study)]
        models = [model.id for model in grid.study_models(self.study)]
        runs = tables["runs"]
        self.runs = runs[runs["id"].isin(ids)].reset_index(drop=True)
        self.models = runs[runs["id"].isin(models)].reset_index(drop=True)
        scores = tables["scores"]
        scores = scores[(scores["scorer"] == DEFAULT_RULE) & scores["question_set"].isin(self.study.benchmarks)]
        self.scores = scores[scores["id"].isin(ids)]
        self.model_scores = scores[scores["id"].isin(models)]
        answers = tables["per_question"]
        self.per_question = answers[answers["id"].isin(ids) & answers["question_set"].isin(self.study.benchmarks)]
        training = tables["training"]
        self.training = training[training["id"].isin(ids)]
        theory = tables.get("theory", pd.DataFrame(columns=["id", *CONDITION, "measure"]))
        self.theory = theory[theory["id"].isin(ids)]
        dynamics = tables.get("dynamics", pd.DataFrame(columns=["id", *CONDITION]))
        self.dynamics = dynamics[dynamics["id"].isin(ids)]
        styles = tables.get("styles", pd.DataFrame(columns=["id", *CONDITION]))
        self.styles = styles[styles["id"].isin(ids)]
        none = pd.DataFrame(columns=["id", "question_set", *CONDITION, "step", "among", "n_samples"])
        errors, process = (tables.get(name, none) for name in ("errors", "process"))
        self.errors = errors[errors["id"].isin(ids) & errors["question_set"].isin(self.study.benchmarks)]
        self.process = process[process["id"].isin(ids) & process["question_set"].isin(self.study.benchmarks)]
        of_behaviours = {key: rows for key, rows in tables.items() if key.startswith("behaviour_")}
        self.behaviours = {key: rows[rows["id"].isin(ids)] for key, rows in of_behaviours.items()}
        gains = tables["gains"]
        gains = gains[(gains["scorer"] == DEFAULT_RULE) & gains["question_set"].isin(self.study.benchmarks)]
        self.gains = gains[gains["id"].isin(ids)]

    # --- settings ----------------------------------------------------------------------------------------------------

    def algorithm(self, condition: Condition) -> Algorithm:
        return self.file.algorithms[condition.algorithm]

    def own(self, prompts: str) -> str | None:
        """The benchmark on the test split of the question set that these prompts are from."""
        return own_benchmark(self.file, self.study, prompts)

    def role(self, benchmark: str) -> Role:
        return role(self.file, benchmark)

    def k(self, benchmark: str) -> int:
        """The largest k: all samples of a question."""
        return self.file.benchmarks[benchmark].samples

    def steps_per_pass(self, condition: Condition) -> float:
        """Rollout batches in one pass over the prompts; NaN for Expert Iteration."""
        settings = self.algorithm(condition)
        last = self.last_step(condition)
        return float("nan") if isinstance(settings, ExpertIteration) else last / settings.passes

    def first_pass(self, condition: Condition) -> float | None:
        """Completions sampled by the end of the first pass over the prompts; None: of no fixed number."""
        each = self.of(condition)["samples_per_step"].dropna().unique()
        steps = self.steps_per_pass(condition)
        return float(each[0]) * steps if len(each) == 1 and not np.isnan(steps) else None

    # --- runs --------------------------------------------------------------------------------------------------------

    @cached_property
    def conditions(self) -> list[Condition]:
        """In the order of the study's axes, imported models last."""
        rows = {Condition(*map(str, row)) for row in self.runs[CONDITION].itertuples(index=False)}
        imported = [self.file.models[name] for name in self.study.models]
        scales = (*self.study.scales, *(model.scale for model in imported if model.scale), "imported")
        axes = (
            (*self.study.mixtures, *(m.mixture or name for name, m in zip(self.study.models, imported, strict=True))),
            scales,
            self.study.algorithms,
            self.study.prompts,
        )
        return sorted(rows, key=lambda c: [o.index(getattr(c, a)) for a, o in zip(CONDITION, axes, strict=True)])

    def distinctly(self, condition: Condition) -> str:
        """A condition by the axes in which those of the study differ."""
        axes = [axis for axis in CONDITION if len({getattr(c, axis) for c in self.conditions}) > 1]
        return " · ".join(getattr(condition, axis) for axis in axes) or condition.label()

    def of(self, condition: Condition, table: pd.DataFrame | None = None) -> pd.DataFrame:
        """The rows of one condition, of the runs or of another table with the axes."""
        table = self.runs if table is None else table
        keep = pd.Series(True, index=table.index)
        for axis in CONDITION:
            keep &= table[axis] == getattr(condition, axis)
        return table[keep]

    def steps(self, condition: Condition) -> list[int]:
        """The checkpoints that were evaluated, the base model's 0 first."""
        return sorted(int(step) for step in self.of(condition, self.scores)["step"].unique())

    def last_step(self, condition: Condition) -> int:
        return self.steps(condition)[-1]

    def measured(self, condition: Condition, benchmark: str, step: int) -> Measured:
        """What the replicates of a condition answered at one step."""
        key = (condition, benchmark, step)
        if key not in self._known:
            rows = self.per_question.iloc[self._answered.get((*vars(condition).values(), benchmark, step), [])]
            self._known[key] = measured(rows, self.of(condition))
        return self._known[key]

    @cached_property
    def _answered(self) -> dict[tuple, np.ndarray]:
        """(*condition, benchmark, step) -> positions in `per_question`."""
        return self.per_question.groupby([*CONDITION, "question_set", "step"], sort=False).indices

    def measure(
        self, condition: Condition, metric: str, benchmark: str, *, k: int | None = None, format: str | None = None
    ) -> pd.DataFrame:
        """One measure of one condition: rows of the scores table, one for each run and step."""
        where = self._measured.get((*vars(condition).values(), metric, benchmark, k or 0, format or ""), [])
        return self.scores.iloc[where]

    def curve(
        self, condition: Condition, metric: str, benchmark: str, *, k: int | None = None, format: str | None = None
    ) -> pd.DataFrame:
        """The same as a table of replicates (rows, by seed) and steps (columns); NaN where there is no estimate."""
        rows = self.measure(condition, metric, benchmark, k=k, format=format)
        if rows.empty:
            return pd.DataFrame()
        unit = replicates.unit(self.of(condition))
        return rows.groupby([unit, "step"])["estimate"].mean().unstack()

    def shares(self, condition: Condition, benchmark: str, step: int) -> pd.DataFrame:
        """Shares of the formats at one step: replicates (rows) by format (columns)."""
        return pd.DataFrame({f: self.curve(condition, "share", benchmark, format=f)[step] for f in FORMATS})

    @cached_property
    def _measured(self) -> dict[tuple, np.ndarray]:
        """(*condition, metric, benchmark, k or 0, format or "") -> positions in `scores`."""
        table = self.scores
        keys = [table[axis] for axis in (*CONDITION, "metric", "question_set")]
        keys += [table["k"].astype("Int64").fillna(0).astype(int), table["format"].astype(object).fillna("")]
        return table.groupby(keys, sort=False).indices


def lines(rows: pd.DataFrame, runs: pd.DataFrame) -> list[pd.DataFrame]:
    """What to draw of one measure (`StudyView.measure`): estimate, low, high against step and completions_sampled.

    From three replicates on one line, their mean with the t-interval over them. With fewer, one line each, with the
    interval over questions; so too at step 0 of several RL seeds, which is one and the same base model.
    """
    unit = replicates.unit(runs)
    curves = []
    for seed, part in rows.groupby(unit, dropna=False, sort=True):
        each = part.groupby("step", sort=True)[["completions_sampled", "estimate", "low", "high"]].mean().reset_index()
        curves.append(each.assign(seed=seed, n_seeds=1, interval="questions"))
    if len(curves) < SEEDS_FOR_A_BAND:
        return curves
    all_curves = pd.concat(curves)
    means = []
    for step, part in all_curves.groupby("step", sort=True):
        estimate, low, high = t_interval(part["estimate"])
        if step == 0 and unit == "run_seed":
            low, high = part["low"].mean(), part["high"].mean()
        x = part["completions_sampled"].mean()
        mean = {"step": step, "completions_sampled": x, "estimate": estimate, "low": low, "high": high}
        means.append(mean | {"n_seeds": part["estimate"].notna().sum()})
    return [pd.DataFrame(means).assign(seed=pd.NA, interval="seeds")]


def points(rows: pd.DataFrame, runs: pd.DataFrame) -> list[pd.Series]:
    """`lines` at a single step: one point for the mean over seeds, or one for each seed where seeds are few."""
    return [line.iloc[-1] for line in lines(rows, runs)]


def parameters(scale: Scale) -> int:
    """Parameters of the transformer blocks, embeddings left out: four square projections and three SwiGLU matrices."""
    return scale.layers * (4 * scale.width**2 + 3 * scale.width * scale.intermediate)


def seeds_in_words(view: StudyView) -> str:
    """The replicates of a study, for captions."""
    said = {replicates.describe(view.of(condition)) for condition in view.conditions}
    return " or ".join(sorted(said)) if said else "1 seed"


def kl_families(view: StudyView) -> list[list[Condition]]:
    """Conditions that differ in their KL penalty alone, two or more together, from the smallest coefficient on."""
    groups: dict[tuple[str, ...], list[Condition]] = {}
    for c in view.conditions:
        settings = view.algorithm(c)
        if isinstance(settings, PolicyGradient) and view.own(c.prompts):
            groups.setdefault((c.mixture, c.scale, c.prompts, but_for_kl(settings)), []).append(c)
    return [ladder for group in groups.values() for ladder in ladders(group, view.algorithm)]


def late_batches(view: StudyView, condition: Condition) -> pd.DataFrame:
    """The last tenth of the rollout batches of each run: rows of the training table."""
    rows = view.of(condition, view.training)
    return rows[rows["step"] > 0.9 * rows.groupby("id")["step"].transform("max")]


def final_kl(view: StudyView, condition: Condition) -> pd.DataFrame:
    """Mean KL (nats per completion) of the last tenth of the rollout batches of each run: id, seeds, kl."""
    return replicates.of_each_run(late_batches(view, condition), "kl", "mean")
