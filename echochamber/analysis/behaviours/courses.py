"""The mean fields of `theory.dynamics` on labels: what they foretell of held-out questions, checkpoint by checkpoint.

The pace is that of the formats in the run's rollouts (`outcomes`: one time constant for each field and scope), so that
nothing is fitted on the shares that are foretold.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from echochamber.analysis.behaviours.labelled import Labelled, of_kind
from echochamber.analysis.rl_prompts import Start, rollouts
from echochamber.analysis.theory import trajectories
from echochamber.analysis.theory.dynamics import KINDS, at
from echochamber.analysis.theory.trajectories import SCOPES, TIMES
from echochamber.evaluation.labels import Kind
from echochamber.formats import DEFAULT_RULE
from echochamber.grid.expansion import Grid
from echochamber.grid.ids import Run
from echochamber.stats.columns import AXES

Curves = dict[tuple, tuple[np.ndarray, np.ndarray]]
"""Runs that differ in seed or length share them."""


def pace(outcomes: pd.DataFrame, id: str) -> dict[tuple[str, str], float]:
    """(field, scope) -> time that a rollout batch at the peak learning rate takes; none where there is no theory."""
    rows = outcomes[(outcomes["id"] == id) & (outcomes["measure"] == "time_constant")]
    return {(str(row.field), str(row.scope)): float(row.estimate) for row in rows.itertuples()}


def courses(
    grid: Grid,
    run: Run,
    base: Labelled,
    at_base: int,
    kinds: list[Kind],
    steps: pd.Series,
    constants: dict,
    known: Curves,
) -> Iterator[dict]:
    """Rows from the axes on, without `question_set`.

    Args:
        steps: checkpoint -> completions sampled before it.
        constants: as `pace` gives them.
        known: curves of other runs, which this one may add to.
    """
    drawn = rollouts(grid, run)
    row = grid.row(run)
    axes = {"id": run.id} | {axis: getattr(row, axis) for axis in AXES} | {"start": row.start}
    for kind in kinds:
        answers = base.sampled(at_base, kind, drawn.settings.rule or DEFAULT_RULE)
        if answers is None:
            continue
        for case in trajectories.cases([(run.id, Start.of(answers, len(kind.labels)), drawn)]):
            rates = drawn.log["learning_rate"].to_numpy(dtype=float) / case.settings.learning_rate
            elapsed = np.concatenate([[0.0], np.cumsum(rates)])
            shown = [step for step in steps.index if step < len(elapsed)]
            size = {"n_questions": case.start.questions, "n_samples": case.start.drawn, "n_seeds": 1}
            for field in KINDS:
                for scope in SCOPES:
                    if (field, scope) not in constants:
                        continue
                    s = case.settings
                    same = (base.path, at_base, kind.column, field, scope, s.kind, s.rule, s.samples_per_prompt, s.kl)
                    known[same] = known.get(same) or trajectories.mean_curves(case, field, scope)
                    curve, resampled = known[same]
                    when = constants[field, scope] * elapsed[shown]
                    shares = at(curve, TIMES, when)
                    low, high = np.quantile(at(resampled, TIMES, when), [0.025, 0.975], axis=1)
                    for i, step in enumerate(shown):
                        for j, label in enumerate(kind.labels):
                            yield (
                                axes
                                | of_kind(kind)
                                | {"field": field, "scope": scope, "step": step, "completions_sampled": steps[step]}
                                | {"label": label, "estimate": shares[i, j], "low": low[i, j], "high": high[i, j]}
                                | size
                            )
