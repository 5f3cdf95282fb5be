"""The tables of theory against runs, on the RL prompts: from base samples and training logs.

| table | one row |
|---|---|
| theory | a predicted or measured share of a format at the end of a run, or its error (`analysis.predictions`) |
| dynamics | a predicted or measured share of a format at a rollout batch (`analysis.trajectories`) |
| outcomes | what a mean field, or the run itself, ends with: winner, error, steps to dominance |
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import pandas as pd

from echochamber.analysis import predictions, trajectories
from echochamber.analysis.columns import AXES, ESTIMATE
from echochamber.analysis.rl_prompts import rollouts, start
from echochamber.grid import Grid

OF_RUN = ("id", *AXES, "base_step")
THEORY = (*OF_RUN, *predictions.COLUMNS, *ESTIMATE)
DYNAMICS = (*OF_RUN, *trajectories.COLUMNS, *ESTIMATE)
OUTCOMES = (*OF_RUN, *trajectories.OUTCOME, *ESTIMATE)
TEXTS = ("law", "reason", "field", "scope")


def build(grid: Grid, index: pd.DataFrame, logs: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The tables by name. index: `Grid.index` by id; logs: metrics.csv by id."""
    read = lru_cache(maxsize=None)(lambda probe: start(grid, probe))
    axes = {id: {name: index.loc[id, name] for name in OF_RUN} for id in grid.runs}
    runs = [(id, read(grid.probe(run)), rollouts(grid, run, logs[id])) for id, run in grid.runs.items()]
    theory = [axes[id] | row for id, begin, drawn in runs for row in predictions.predictions(begin, drawn)]
    curves: list[dict] = []
    outcomes: list[dict] = []
    for id, rows, ends in trajectories.predict(trajectories.cases(runs)):
        curves += [axes[id] | row for row in rows]
        outcomes += [axes[id] | row for row in ends]
    return {
        "theory": pd.DataFrame(theory, columns=list(THEORY)),
        "dynamics": pd.DataFrame(curves, columns=list(DYNAMICS)),
        "outcomes": pd.DataFrame(outcomes, columns=list(OUTCOMES)),
    }
