"""What a study found, in a few words: the answer to its question, for the first screen, the console and comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from echochamber.analysis.claims.verdicts import EXPLORATORY, NOT_HERE
from echochamber.analysis.studies import CONDITION, Condition, StudyView, points
from echochamber.formats import FORMATS
from echochamber.grid.expansion import Grid
from echochamber.report.numbers import interval, percent, percents

Interval = tuple[float, float, float]
"""Estimate and the ends of its 95 % interval; NaN where the data give none."""


@dataclass(frozen=True)
class Line:
    """One condition of a study: which format it ends with, and what RL does to accuracy."""

    label: str
    """The axes in which the study's conditions differ."""
    condition: Condition
    before: dict[str, float]
    """Format -> share among sampled completions of the base models, mean over replicates."""
    after: dict[str, float]
    """The same at the end of RL."""
    winner: str
    """The largest share at the end."""
    ends: list[Interval]
    """The winner's share at the end: over seeds, or of each replicate where these are few."""
    gains: list[Interval]
    """Of greedy pass@1 over the base model, paired by question: the same."""
    accuracy: tuple[float, float]
    """Greedy pass@1 before and after, mean over replicates."""
    replicates: int
    question_set: str

    @property
    def share(self) -> str:
        """`52 % → 99 % [97, 100]`."""
        ends = "; ".join(percents(*end) for end in self.ends)
        return f"{percent(self.before[self.winner])} → {ends}"

    @property
    def gain(self) -> str:
        """`+0.22 [+0.12, +0.32]`."""
        return "; ".join(interval(*gain, signed=True) for gain in self.gains)


@dataclass(frozen=True)
class Ruling:
    """A verdict on a claim in a study: its primary row."""

    claim: str
    hypothesis: str
    metric: str
    number: str
    threshold: str
    """`> 0.5`; empty where there is none."""
    verdict: str
    replicates: int


@dataclass(frozen=True)
class Answer:
    """The answer of a study."""

    study: str
    question: str
    lines: list[Line]
    rulings: list[Ruling]
    exploratory: int
    """Rows of claims without a verdict."""

    def sentence(self) -> str:
        """In one line: conditions, winners, gains, verdicts."""
        said = [
            f"{f'{line.label}: ' if line.label else ''}{line.winner} {line.share} of completions, pass@1 {line.gain}"
            for line in self.lines
        ]
        if not said:
            said = ["no finished RL run"]
        if self.rulings:
            said.append("verdicts: " + ", ".join(f"{ruling.claim} {ruling.verdict}" for ruling in self.rulings))
        return "; ".join(said)


def answer(grid: Grid, tables: Mapping[str, pd.DataFrame], claims: pd.DataFrame, study: str) -> Answer:
    """What one study found. tables: as `analysis.tables.tables.read` gives them; claims: as `claims.evaluate`."""
    view = StudyView(grid, study, tables)
    differing = [axis for axis in CONDITION if len({getattr(c, axis) for c in view.conditions}) > 1]
    lines = [_line(view, c, " · ".join(getattr(c, a) for a in differing)) for c in view.conditions]
    rows = claims[(claims["study"] == study) & ~claims["claim"].str.contains(".", regex=False)]
    rulings = [_ruling(claims, row) for row in rows.to_dict("records") if row["verdict"] not in (EXPLORATORY, NOT_HERE)]
    return Answer(
        study=study,
        question=grid.file.studies[study].title,
        lines=[line for line in lines if line],
        rulings=rulings,
        exploratory=int((rows["verdict"] == EXPLORATORY).sum()),
    )


def _line(view: StudyView, condition: Condition, label: str) -> Line | None:
    """None where the condition has no question set with measured runs."""
    own = view.own(condition.prompts) or view.study.benchmarks[0]
    runs = view.of(condition)
    shares = view.of(condition, view.scores)
    shares = shares[(shares["metric"] == "share") & (shares["question_set"] == own)]
    if shares.empty:
        return None
    last = shares["step"].max()
    means = shares.groupby(["step", "format"])["estimate"].mean()
    before, after = ({name: float(means.get((step, name), 0)) for name in FORMATS} for step in (0, last))
    winner = max(after, key=lambda name: after[name])
    at_end = shares[(shares["step"] == last) & (shares["format"] == winner)]
    greedy = view.measure(condition, "greedy_accuracy", own).groupby("step")["estimate"].mean()
    gains = view.of(condition, view.gains)
    gains = gains[(gains["question_set"] == own) & (gains["metric"] == "greedy_accuracy")]
    gain_points = points(gains.assign(completions_sampled=0.0), runs)
    ends = points(at_end, runs)
    return Line(
        label=label,
        condition=condition,
        before=before,
        after=after,
        winner=winner,
        ends=[_interval(point) for point in ends],
        gains=[_interval(point) for point in gain_points],
        accuracy=(float(greedy.get(0, float("nan"))), float(greedy.get(last, float("nan")))),
        replicates=int(ends[0]["n_seeds"]) if len(ends) == 1 else len(ends),
        question_set=own,
    )


def _interval(point: pd.Series) -> Interval:
    estimate, low, high = (float(point[name]) for name in ("estimate", "low", "high"))
    return estimate, low, high


def _ruling(claims: pd.DataFrame, row: dict) -> Ruling:
    """A claim of several parts has no number of its own: that of a part which decides stands for it, and is named.

    That is the first with the claim's own verdict, or the first of all where only the correction made it inconclusive.
    """
    shown = row
    if pd.isna(row["estimate"]):
        axes = ["study", "mixture", "scale", "algorithm", "prompts", "benchmark"]
        parts = claims[claims["claim"].str.startswith(f"{row['claim']}.")]
        for axis in axes:
            parts = parts[parts[axis].isna() if pd.isna(row[axis]) else parts[axis] == row[axis]]
        parts = parts[parts["estimate"].notna()]
        decides = parts[parts["verdict"] == row["verdict"]]
        shown = (decides if len(decides) else parts).iloc[0].to_dict() if len(parts) else row
    number = "" if pd.isna(shown["estimate"]) else interval(shown["estimate"], shown["low"], shown["high"])
    return Ruling(
        claim=row["claim"],
        hypothesis=row["hypothesis"],
        metric=shown["metric"],
        number=number,
        threshold="" if pd.isna(shown["threshold"]) else str(shown["threshold"]),
        verdict=row["verdict"],
        replicates=0 if pd.isna(row["n_seeds"]) else int(row["n_seeds"]),
    )
