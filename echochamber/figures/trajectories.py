"""Runs that differ in their KL coefficient, over training: formats, and accuracy by k (the paper's Figures 3 and 8)."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from echochamber.analysis.studies import Condition, StudyView, kl_families, lines
from echochamber.figures import captions, style
from echochamber.formats import FORMATS

SHOWN = 0.005
"""A format that never reaches this share in any panel is left out."""


def draw(view: StudyView) -> tuple[Figure, str, pd.DataFrame]:
    """Figure, caption, and the numbers drawn: a column of panels a coefficient."""
    families = kl_families(view)
    if not families:
        raise ValueError(
            f"studies.{view.name}.figures: found trajectories, allowed where algorithms differ in KL alone"
        )
    conditions = [c for family in families for c in family]
    shares = view.scores[view.scores["metric"] == "share"]
    formats = [f for f in FORMATS if shares.loc[shares["format"] == f, "estimate"].max() >= SHOWN]
    most = max(map(len, families))
    figure, panels = style.panels(len(conditions), rows_each=2, columns=most)
    data: list[pd.DataFrame] = []
    ks = set()
    for condition, axes in zip(conditions, panels, strict=True):
        own = view.own(condition.prompts)
        k = view.k(own)
        ks.add(k)
        looks = {f: {"color": style.FORMAT_COLOURS[f], "marker": style.FORMAT_MARKERS[f]} for f in formats}
        x = _lines(axes[0], view, condition, own, [("share", None, f, looks[f]) for f in formats], data)
        measures = (("greedy_accuracy", None), ("majority_at_k", k), ("pass_at_k", k))
        asked = [(metric, at, None, style.series_style(i)) for i, (metric, at) in enumerate(measures)]
        x += _lines(axes[1], view, condition, own, asked, data)
        for ax, label in zip(axes, ("share of completions", "share of questions"), strict=True):
            style.share_axis(ax, label)
            style.first_pass(ax, view.first_pass(condition))
            style.completions_axis(ax, x, label=style.lowest(axes, ax))
        coefficient = view.algorithm(condition).kl.coefficient
        style.titles(axes, f"KL {coefficient:g} · {condition.label('algorithm')}", view.world)
    shown = str(ks.pop()) if len(ks) == 1 else "k"
    names = ("pass@1 (greedy)", f"majority@{shown}", f"pass@{shown}")
    measured = [Line2D([], [], label=name, **style.series_style(i)) for i, name in enumerate(names)]
    style.legend(figure, [*style.format_handles(formats), *measured, style.first_pass_handle()])
    caption = (
        "Runs that differ in their KL coefficient alone, during RL: shares of formats among sampled completions, "
        f"greedy pass@1, majority@{shown} and pass@{shown}; step 0 is the base model. "
        + captions.tail(view, [view.own(c.prompts) for c in conditions])
    )
    return figure, caption, pd.concat(data, ignore_index=True)


Asked = list[tuple[str, int | None, str | None, dict]]
"""Metric, k, format, look."""


def _lines(
    ax: Axes, view: StudyView, condition: Condition, own: str, asked: Asked, data: list[pd.DataFrame]
) -> list[float]:
    """Draw measures of one condition and add their numbers to `data`; returns what stands on the horizontal axis."""
    x: list[float] = []
    for metric, k, form, look in asked:
        for line in lines(view.measure(condition, metric, own, k=k, format=form), view.of(condition)):
            x += list(line["completions_sampled"])
            style.band(ax, line["completions_sampled"], line, **look)
            coefficient = view.algorithm(condition).kl.coefficient
            kept = {"coefficient": coefficient, "metric": metric, "k": k, "format": form, "question_set": own}
            data.append(line.assign(**vars(condition), **kept))
    return x
