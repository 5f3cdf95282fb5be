"""Algorithms compared on the axis that they share, completions sampled (the paper's Figures 14 and 20)."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from echochamber.analysis.studies import Condition, StudyView, lines
from echochamber.figures import captions, style
from echochamber.formats import FORMATS
from echochamber.stats import metrics


def draw(view: StudyView) -> tuple[Figure, str, pd.DataFrame]:
    """Figure, caption, and the numbers drawn."""
    conditions = [c for c in view.conditions if view.own(c.prompts)]
    groups: dict[tuple, list[Condition]] = {}
    for condition in conditions:
        groups.setdefault((condition.mixture, condition.scale, condition.prompts), []).append(condition)
    names = list(dict.fromkeys(c.algorithm for c in conditions))
    figure, panels = style.panels(len(groups), rows_each=3, height=1.9)
    data = []
    for group, axes in zip(groups.values(), panels, strict=True):
        x: list[float] = []
        for condition in group:
            look = style.series_style(names.index(condition.algorithm))
            own = view.own(condition.prompts)
            runs = view.of(condition)
            reward = _reward(view, condition)
            measured = {
                "greedy_accuracy": view.measure(condition, "greedy_accuracy", own),
                "total_variation": _moved(view, condition, own),
            }
            for ax, (metric, rows) in zip(axes[:2], measured.items(), strict=True):
                for line in lines(rows, runs):
                    x += list(line["completions_sampled"])
                    style.band(ax, line["completions_sampled"], line, **look)
                    data.append(line.assign(**vars(condition), metric=metric, question_set=own))
            for seed, part in reward.groupby("id", sort=False):
                axes[2].plot(part["completions_sampled"], part["estimate"], **(look | {"linewidth": 0.9, "marker": ""}))
                if len(part) <= 5:  # a few iterations are points, many batches are a line
                    axes[2].plot(part["completions_sampled"], part["estimate"], **look)
                data.append(part.assign(**vars(condition), metric="reward_mean", seed=seed))
        style.share_axis(axes[0], "pass@1 (greedy)")
        style.share_axis(axes[1], "shift of shares\n(total variation)")
        style.share_axis(axes[2], "mean reward\n(training prompts)")
        for ax in axes:
            style.completions_axis(ax, x, label=style.lowest(axes, ax))
        style.titles(axes, group[0].label("algorithm"), view.world)
    style.legend(figure, [Line2D([], [], label=name, **style.series_style(i)) for i, name in enumerate(names)])
    caption = (
        "Algorithms compared at equal numbers of completions sampled: greedy pass@1 on held-out questions, how far "
        "the shares of formats have moved from the base model, 0 to 1, and the mean reward of each rollout "
        "batch, one line a run. " + captions.tail(view, [view.own(c.prompts) for c in conditions])
    )
    return figure, caption, pd.concat(data, ignore_index=True)


def _moved(view: StudyView, condition: Condition, own: str) -> pd.DataFrame:
    """Total variation of the shares between the base model and each step, one row a run and step; no interval."""
    shares = view.of(condition, view.scores)
    shares = shares[(shares["metric"] == "share") & (shares["question_set"] == own)]
    table = shares.pivot_table(
        index=["id", "model_seed", "run_seed", "step", "completions_sampled"],
        columns="format",
        values="estimate",
        dropna=True,
    )
    table = table.reindex(columns=list(FORMATS)).fillna(0.0).reset_index()
    base = table[table["step"] == 0].set_index("id")[list(FORMATS)]
    moved = metrics.total_variation(table[list(FORMATS)], base.loc[table["id"]].to_numpy())
    return table.assign(estimate=moved, low=float("nan"), high=float("nan"))


def _reward(view: StudyView, condition: Condition) -> pd.DataFrame:
    rows = view.of(condition, view.training)
    return rows[["id", "step", "completions_sampled", "reward_mean"]].rename(columns={"reward_mean": "estimate"})
