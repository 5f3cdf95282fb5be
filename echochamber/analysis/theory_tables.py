"""The tables of theory against runs, on the RL prompts: from base samples and training logs.

| table | one row |
|---|---|
| theory | a predicted or measured share of a format at the end of a run, or its error (`analysis.predictions`) |
| dynamics | a predicted or measured share of a format at a rollout batch (`analysis.trajectories`) |
| outcomes | what a mean field, or the run itself, ends with: winner, error, steps to dominance |
| drift | the change of a neutral twin's share, measured and predicted (`analysis.neutral`) |
| picks | the format that a rule expects to win a run, and the one that did (`analysis.selection`) |
| selection | how often a rule was right, by base model, against "the most frequent one" |
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import pandas as pd

from echochamber.analysis import neutral, predictions, selection, trajectories
from echochamber.analysis.columns import AXES, ESTIMATE
from echochamber.analysis.rl_prompts import Rollouts, Start, rollouts, start
from echochamber.grid import Grid

OF_RUN = ("id", *AXES, "base_step")
THEORY = (*OF_RUN, *predictions.COLUMNS, *ESTIMATE)
DYNAMICS = (*OF_RUN, *trajectories.COLUMNS, *ESTIMATE)
OUTCOMES = (*OF_RUN, *trajectories.OUTCOME, *ESTIMATE)
DRIFT = (*OF_RUN, *neutral.COLUMNS, *ESTIMATE)
PICKS = (*OF_RUN, *selection.PICKS)
TEXTS = ("predictor", "pick", "winner", "law", "reason", "field", "scope")


def build(
    grid: Grid, index: pd.DataFrame, logs: Mapping[str, pd.DataFrame], styles: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """The tables by name. index: `Grid.index` by id; logs: metrics.csv by id; styles: the table of that name."""
    read = lru_cache(maxsize=None)(lambda probe: start(grid, probe))
    axes = {id: {name: index.loc[id, name] for name in OF_RUN} for id in grid.runs}
    runs = [(id, read(grid.probe(run)), rollouts(grid, run, logs[id])) for id, run in grid.runs.items()]
    cases = trajectories.cases(runs)
    theory = [axes[id] | row for id, begin, drawn in runs for row in predictions.predictions(begin, drawn)]
    curves: list[dict] = []
    outcomes: list[dict] = []
    for id, rows, ends in trajectories.predict(cases):
        curves += [axes[id] | row for row in rows]
        outcomes += [axes[id] | row for row in ends]
    tables = {
        "theory": pd.DataFrame(theory, columns=list(THEORY)),
        "dynamics": pd.DataFrame(curves, columns=list(DYNAMICS)),
        "outcomes": pd.DataFrame(outcomes, columns=list(OUTCOMES)),
    }
    pooled = tables["outcomes"].query("measure == 'time_constant' and field == 'natural' and scope == 'pooled'")
    drift = neutral.drift(cases, dict(zip(pooled["id"], pooled["estimate"], strict=True)), styles)
    picked = _picks(runs, tables, set(trajectories.fitted_on(cases).values()))
    models = [grid.probe(grid.runs[id]).base for id in picked["id"]]
    return tables | {
        "drift": pd.DataFrame([axes.get(row["id"], {}) | row for row in drift], columns=list(DRIFT)),
        "picks": pd.DataFrame([axes[row["id"]] | row for row in picked.to_dict("records")], columns=list(PICKS)),
        "selection": pd.DataFrame(selection.summary(picked.assign(base_model=models)), columns=list(selection.SUMMARY)),
    }


def _picks(runs: list[tuple[str, Start, Rollouts]], tables: dict[str, pd.DataFrame], fitted: set[str]) -> pd.DataFrame:
    """What each rule expects of each run whose reward is that of right answers: id and `selection.PICKS`."""
    corrected = tables["theory"].query("measure == 'corrected'")
    ends = tables["outcomes"].query("measure == 'winner_share' and scope == 'question'")
    rows = []
    for id, begin, drawn in runs:
        foreseen = corrected[corrected["id"] == id]
        if foreseen.empty:
            continue
        foretold = {"T1": str(foreseen.loc[foreseen["estimate"].idxmax(), "format"])}
        for kind, name in ends.loc[ends["id"] == id, ["field", "format"]].itertuples(index=False):
            foretold[f"{kind} gradient"] = name
        rows += [{"id": id} | row for row in selection.picks(begin, drawn, foretold)]
    table = pd.DataFrame(rows, columns=["id", "contested", *selection.PICKS[:-1]])
    return table.assign(counted=table["contested"].astype(bool) & ~table["id"].isin(fitted))
