"""The tables of theory against runs, on the RL prompts: from base samples and training logs.

| table | one row |
|---|---|
| theory | a predicted or measured share of a format at the end of a run, or its error (`analysis.theory.predictions`) |
| dynamics | a predicted or measured share of a format at a rollout batch (`analysis.theory.trajectories`) |
| outcomes | what a mean field, or the run itself, ends with: winner, error, steps to dominance |
| drift | the change of a neutral twin's share, measured and predicted (`analysis.theory.neutral`) |
| picks | the format that a rule expects to win a run, and the one that did (`analysis.theory.selection`) |
| selection | how often a rule was right, by base model and mixture, against "the most frequent one" |
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import pandas as pd

from echochamber.analysis.rl_prompts import Rollouts, Start, rollouts, start
from echochamber.analysis.theory import neutral, predictions, selection, trajectories
from echochamber.formats import DEFAULT_RULE
from echochamber.grid.expansion import Grid
from echochamber.stats.columns import ID, MEASURED, SETTING, START, Table, names

OF_RUN = (ID, *SETTING, START)
THEORY = Table(
    "theory",
    "a predicted or measured share of a format at the end of a run, or its error",
    (*OF_RUN, *predictions.COLUMNS, *MEASURED),
)
DYNAMICS = Table(
    "dynamics",
    "a predicted or measured share of a format at a rollout batch",
    (*OF_RUN, *trajectories.COLUMNS, *MEASURED),
)
OUTCOMES = Table(
    "outcomes",
    "what a mean field, or the run itself, ends with: winner, error, steps to dominance",
    (*OF_RUN, *trajectories.OUTCOME, *MEASURED),
)
DRIFT = Table(
    "drift",
    "the change of a neutral twin's share, measured and predicted",
    (*OF_RUN, *neutral.COLUMNS, *MEASURED),
)
PICKS = Table(
    "picks",
    "the format that a rule expects to win a run, and the one that did",
    (*OF_RUN, *selection.PICKS),
)


def build(grid: Grid, styles: pd.DataFrame, write: Callable[[str, pd.DataFrame], None]) -> dict[str, pd.DataFrame]:
    """The tables by name, but `dynamics`, the long one, which is written run by run.

    Args:
        styles: the table of that name, or its rows of neutral twins.
        write: takes a table's name and some of its rows.
    """
    read = lru_cache(maxsize=None)(lambda probe, rule: start(grid, probe, rule))
    axes = {id: {name: getattr(grid.row(run), name) for name in names(OF_RUN)} for id, run in grid.runs.items()}
    rule = {name: settings.rule or DEFAULT_RULE for name, settings in grid.file.algorithms.items()}
    runs = [(id, read(grid.probe(run), rule[run.algorithm]), rollouts(grid, run)) for id, run in grid.runs.items()]
    cases = trajectories.cases(runs)
    theory = [axes[id] | row for id, begin, drawn in runs for row in predictions.predictions(begin, drawn)]
    outcomes: list[dict] = []
    for id, rows, ends in trajectories.predict(cases):
        write(DYNAMICS.name, pd.DataFrame([axes[id] | row for row in rows], columns=list(DYNAMICS)))
        outcomes += [axes[id] | row for row in ends]
    tables = {
        "theory": pd.DataFrame(theory, columns=list(THEORY)),
        "outcomes": pd.DataFrame(outcomes, columns=list(OUTCOMES)),
    }
    pooled = tables["outcomes"].query("measure == 'time_constant' and field == 'natural' and scope == 'pooled'")
    drift = neutral.drift(cases, dict(zip(pooled["id"], pooled["estimate"], strict=True)), styles)
    picked = _picks(runs, tables, set(trajectories.fitted_on(cases).values()))
    models = {"base_model": [grid.probe(grid.runs[id]).base for id in picked["id"]]}
    summary = selection.summary(picked.assign(mixture=[axes[id]["mixture"] for id in picked["id"]], **models))
    return tables | {
        "drift": pd.DataFrame([axes.get(row["id"], {}) | row for row in drift], columns=list(DRIFT)),
        "picks": pd.DataFrame([axes[row["id"]] | row for row in picked.to_dict("records")], columns=list(PICKS)),
        "selection": pd.DataFrame(summary, columns=list(selection.SUMMARY)),
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
    table = pd.DataFrame(rows, columns=["id", "contested", *names(selection.PICKS)[:-1]])
    return table.assign(counted=table["contested"].astype(bool) & ~table["id"].isin(fitted))
