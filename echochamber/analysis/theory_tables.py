"""The tables of theory against runs, on the RL prompts: from base samples and training logs.

| table | one row |
|---|---|
| theory | a predicted or measured share of a format at the end of a run, or its error (`analysis.predictions`) |
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import pandas as pd

from echochamber.analysis import predictions
from echochamber.analysis.columns import AXES, ESTIMATE
from echochamber.analysis.rl_prompts import Rollouts, Start, rollouts, start
from echochamber.grid import Grid

OF_RUN = ("id", *AXES, "base_step")
THEORY = (*OF_RUN, *predictions.COLUMNS, *ESTIMATE)
TEXTS = ("law", "reason")


def build(grid: Grid, index: pd.DataFrame, logs: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The tables by name. index: `Grid.index` by id; logs: metrics.csv by id."""
    read = lru_cache(maxsize=None)(lambda probe: start(grid, probe))
    found: list[tuple[dict, Start, Rollouts]] = []
    for id, run in grid.runs.items():
        axes = {name: index.loc[id, name] for name in OF_RUN}
        found.append((axes, read(grid.probe(run)), rollouts(grid, run, logs[id])))
    theory = [axes | row for axes, begin, drawn in found for row in predictions.predictions(begin, drawn)]
    return {"theory": pd.DataFrame(theory, columns=list(THEORY))}
