"""What the labels of one evaluation add to the tables of behaviours. Imports no torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from echochamber.analysis.behaviours import tables
from echochamber.analysis.behaviours.foretold import foretold
from echochamber.analysis.behaviours.labelled import Labelled, labelled_rows, of_kind
from echochamber.analysis.samples import Answers
from echochamber.analysis.tables import logs
from echochamber.analysis.tables.decomposition import decomposition
from echochamber.analysis.tables.forecasts import forecasts
from echochamber.analysis.tables.measure import base_step
from echochamber.analysis.tables.scores import rows_of
from echochamber.evaluation.labels import Kind, kinds
from echochamber.formats import DEFAULT_RULE
from echochamber.grid.specs import LabelSpec
from echochamber.stats.columns import AXES

DROPPED = ("scorer", "k")
"""Columns of scores that shares have no use for."""


def measure(spec: LabelSpec, labels: Path) -> dict[str, pd.DataFrame]:
    """Rows by table: `tables.OF_MODELS` of a model, `tables.OF_RUNS` of a run.

    Raises ValueError or FileNotFoundError, in one line, if labels, samples or the log are missing or unreadable.
    """
    ways = list(kinds(spec.behaviours))
    answers = Labelled(Path(spec.samples), labels, ways)
    declared = tables.OF_RUNS if spec.base else tables.OF_MODELS
    rows = _of_run(spec, answers, ways) if spec.base else {tables.FORECAST.name: _of_model(spec, answers, ways)}
    return {name: table.typed(pd.DataFrame(rows[name], columns=list(table))) for name, table in declared.items()}


def shares(answers: Answers, labels: tuple[str, ...]) -> list[dict]:
    """Rows metric, label, estimate, low, high and sizes: the share of each label and the accuracy of what bears it."""
    columns = []
    for i, name in enumerate(labels):
        within = answers.format == i
        columns.append(("share", None, name, within.mean(1), None, True))
        columns.append(("accuracy", None, name, (answers.correct & within).sum(1), within.sum(1), True))
    rows = labelled_rows(list(rows_of(DEFAULT_RULE, columns, answers)))
    return [{name: value for name, value in row.items() if name not in DROPPED} for row in rows]


def _of_model(spec: LabelSpec, answers: Labelled, ways: list[Kind]) -> list[dict]:
    axes = {"id": spec.row.id} | {axis: getattr(spec.row, axis) for axis in AXES[:3]}
    rows = []
    for kind in ways:
        sampled = answers.sampled(answers.last, kind)
        if sampled is not None:
            here = axes | {"question_set": spec.question_set} | of_kind(kind)
            base = [
                row | {"forecast": "base", "beta": np.nan, "measure": "share"} for row in shares(sampled, kind.labels)
            ]
            rows += [here | row for row in base if row.pop("metric") == "share"]
            said = [row for row in forecasts(sampled, kind.labels) if row["measure"] in ("winner", "share")]
            rows += labelled_rows(said, **here)
    return rows


def _of_run(spec: LabelSpec, after: Labelled, ways: list[Kind]) -> dict[str, list[dict]]:
    log = logs.read(Path(spec.log), spec.row.id)
    before = Labelled(Path(spec.base), Path(spec.base_labels), ways)
    base, final = base_step(spec, before.drawn), after.last
    axes = {"id": spec.row.id} | {axis: getattr(spec.row, axis) for axis in AXES}
    where, named = {"question_set": spec.question_set}, {"start": spec.row.start}
    sides = [(0, before, base), *((step, after, step) for step in after.steps)]
    rows: dict[str, list[dict]] = {name: [] for name in tables.OF_RUNS}
    for kind in ways:
        told = where | of_kind(kind)
        for step, answers, at in sides:
            sampled = answers.sampled(at, kind)
            if sampled is not None:
                here = axes | {"step": step, "completions_sampled": logs.completions_sampled(log, spec.row, step)}
                rows[tables.SHARES.name] += [here | told | row for row in shares(sampled, kind.labels)]
        start, end = before.sampled(base, kind), after.sampled(final, kind)
        if start is None or end is None:
            continue
        size = {"n_questions": len(start.questions), "n_seeds": 1, "n_samples": start.correct.size + end.correct.size}
        ends = axes | named | {"step": final} | told
        rows[tables.GAINS.name] += labelled_rows(decomposition(start, end, kind.labels), **ends, **size)
        if spec.own and spec.algorithm is not None:
            rule = spec.algorithm.rule or DEFAULT_RULE
            began, ended = before.sampled(base, kind, rule), after.sampled(final, kind, rule)
            assert began is not None
            assert ended is not None
            of_theory, picked = foretold(began, ended, kind, spec.algorithm)
            here = axes | named | told
            rows[tables.THEORY.name] += [here | row for row in of_theory]
            if kind.mark is None:
                here = axes | named | where | {"behaviour": kind.behaviour}
                rows[tables.PICKS.name] += [here | row for row in picked]
    return rows
