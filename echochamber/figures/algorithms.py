"""Algorithms compared on the axis that they share, completions sampled (the paper's Figures 14 and 20)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from echochamber.analysis.studies import Condition, StudyView, lines
from echochamber.analysis.tables.per_question import WRITTEN
from echochamber.figures import captions, published, style
from echochamber.stats import metrics
from echochamber.stats.intervals import resampling_weights

RESAMPLED = 1000
"""Resamples of the questions behind an interval of a shift."""


def draw(view: StudyView) -> tuple[Figure, str, pd.DataFrame]:
    """Figure, caption, and the numbers drawn."""
    conditions = [c for c in view.conditions if view.own(c.prompts)]
    groups: dict[tuple, list[Condition]] = {}
    for condition in conditions:
        groups.setdefault((condition.mixture, condition.scale, condition.prompts), []).append(condition)
    names = list(dict.fromkeys(c.algorithm for c in conditions))
    figure, panels = style.panels(len(groups), rows_each=3, height=1.9)
    data = []
    known: list[published.Value] = []
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
            if value := published.after(view, condition, own, "greedy_accuracy"):
                known.append(value)
                end = measured["greedy_accuracy"]["completions_sampled"].max()
                axes[0].plot([end], [value.value], **(style.PUBLISHED | {"markerfacecolor": look["color"]}))
            for line in lines(reward, runs):
                few = len(line) <= 5  # a few iterations are points, many batches are a line
                style.band(
                    axes[2],
                    line["completions_sampled"],
                    line,
                    **(look if few else look | {"linewidth": 0.9, "marker": ""}),
                )
                data.append(line.assign(**vars(condition), metric="reward_mean"))
        style.share_axis(axes[0], "pass@1 (greedy)")
        style.share_axis(axes[1], "shift of shares\n(total variation)")
        style.share_axis(axes[2], "mean reward\n(training prompts)")
        for ax in axes:
            for completions in sorted({p for c in group if (p := view.first_pass(c))}):
                style.first_pass(ax, completions)
            style.completions_axis(ax, x, label=style.lowest(axes, ax))
        style.titles(axes, group[0].label("algorithm"), view.world)
    handles = [Line2D([], [], label=name, **style.series_style(i)) for i, name in enumerate(names)]
    if known:
        handles.append(style.paper_handle("published, after RL (filled as the algorithm)"))
    style.legend(figure, [*handles, style.first_pass_handle()])
    caption = (
        "Algorithms compared at equal numbers of completions sampled: greedy pass@1 on held-out questions, how far "
        "the shares of formats have moved from the base model, 0 to 1, and the mean reward of each rollout "
        "batch. " + published.sentence(known) + captions.tail(view, [view.own(c.prompts) for c in conditions])
    )
    return figure, caption, pd.concat(data, ignore_index=True)


def _moved(view: StudyView, condition: Condition, own: str) -> pd.DataFrame:
    """Total variation of the shares between the base model and each step, one row a run and step.

    The interval is over questions, resampled with what was written to each before and after.
    """
    rows = view.of(condition, view.per_question)
    rows = rows[rows["question_set"] == own].sort_values("question_id", kind="stable")
    sampled = view.measure(condition, "greedy_accuracy", own).set_index(["id", "step"])["completions_sampled"]
    moved = []
    for (id, model_seed, run_seed), part in rows.groupby(["id", "model_seed", "run_seed"], dropna=False, sort=False):
        written = {step: at[list(WRITTEN)].to_numpy(float) for step, at in part.groupby("step")}
        shares = {step: counts / counts.sum(1, keepdims=True) for step, counts in written.items()}
        weights = resampling_weights(len(shares[0]), RESAMPLED) / len(shares[0])
        for step, at in shares.items():
            resampled = metrics.total_variation(weights @ at, weights @ shares[0])
            estimate = float(metrics.total_variation(at.mean(0), shares[0].mean(0)))
            low, high = np.quantile(resampled, [0.025, 0.975]) if step else (0.0, 0.0)
            low, high = min(low, estimate), max(high, estimate)  # resampling moves small distances up
            x = sampled.loc[(id, step)]
            numbers = {"step": step, "completions_sampled": x, "estimate": estimate, "low": low, "high": high}
            moved.append({"id": id, "model_seed": model_seed, "run_seed": run_seed} | numbers)
    return pd.DataFrame(moved)


def _reward(view: StudyView, condition: Condition) -> pd.DataFrame:
    """Of each rollout batch; a single run has no interval: completions of one prompt are no independent draws."""
    rows = view.of(condition, view.training)
    kept = ["id", "model_seed", "run_seed", "step", "completions_sampled", "reward_mean"]
    return rows[kept].rename(columns={"reward_mean": "estimate"}).assign(low=float("nan"), high=float("nan"))
