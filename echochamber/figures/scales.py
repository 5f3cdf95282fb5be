"""Scales compared: formats and accuracy before and after RL against the size of the model (the paper's Figure 7)."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from echochamber.analysis.studies import Condition, StudyView, parameters, points
from echochamber.figures import captions, style
from echochamber.formats import FORMATS

SHOWN = 0.005


def draw(view: StudyView) -> tuple[Figure, str, pd.DataFrame]:
    """Figure, caption, and the numbers drawn."""
    groups: dict[tuple, list[Condition]] = {}
    for condition in view.conditions:
        if view.own(condition.prompts) and condition.scale in view.file.scales:
            groups.setdefault((condition.mixture, condition.algorithm, condition.prompts), []).append(condition)
    if not groups:
        raise ValueError(f"studies.{view.name}.figures: found scales, allowed where models were trained here")
    shares = view.scores[view.scores["metric"] == "share"]
    formats = [f for f in FORMATS if shares.loc[shares["format"] == f, "estimate"].max() >= SHOWN]
    figure, panels = style.panels(len(groups), rows_each=3, height=1.9)
    data: list[dict] = []
    for group, axes in zip(groups.values(), panels, strict=True):
        own = view.own(group[0].prompts)
        group = sorted(group, key=lambda c: parameters(view.file.scales[c.scale]))
        sizes = [parameters(view.file.scales[c.scale]) for c in group]
        for ax, after in ((axes[0], False), (axes[1], True)):
            for name in formats:
                look = {"color": style.FORMAT_COLOURS[name], "marker": style.FORMAT_MARKERS[name]}
                data += _line(ax, view, group, sizes, own, "share", name, after, look)
        for after, look in ((False, {"markerfacecolor": "white", "linestyle": "--"}), (True, {"linestyle": "-"})):
            look |= {"color": "#332288", "marker": "o"}
            data += _line(axes[2], view, group, sizes, own, "greedy_accuracy", None, after, look)
        for ax, label in zip(axes, ("share, base model", "share, after RL", "pass@1 (greedy)"), strict=True):
            style.share_axis(ax, label)
            label = "parameters without embeddings" if style.lowest(axes, ax) else ""
            style.log_axis(ax, sizes, [c.scale for c in group], label)
        style.titles(axes, group[0].label("scale"), view.world)
    handles = [
        *style.format_handles(formats),
        Line2D([], [], color="#332288", marker="o", markerfacecolor="white", linestyle="--", label="base model"),
        Line2D([], [], color="#332288", marker="o", label="after RL"),
    ]
    style.legend(figure, handles)
    caption = (
        "Shares of formats in the base model and after RL, and greedy pass@1 before and after, "
        "against the parameters of the transformer blocks. "
        + captions.tail(view, [view.own(g[0].prompts) for g in groups.values()])
    )
    return figure, caption, pd.DataFrame(data)


def _line(
    ax,
    view: StudyView,
    group: list[Condition],
    sizes: list[int],
    own: str,
    metric: str,
    form: str | None,
    after: bool,
    look: dict,
) -> list[dict]:
    drawn, means = [], []
    for size, condition in zip(sizes, group, strict=True):
        rows = view.measure(condition, metric, own, format=form)
        rows = rows[rows["step"] == (view.last_step(condition) if after else 0)]
        run_points = points(rows, view.of(condition))
        for point in run_points:
            style.whisker(ax, size, point, **{key: look[key] for key in look if key != "linestyle"})
            drawn.append(
                vars(condition)
                | {"parameters": size, "question_set": own, "metric": metric, "format": form}
                | dict(point)
            )
        means.append(sum(p["estimate"] for p in run_points) / len(run_points))
    ax.plot(sizes, means, color=look["color"], linestyle=look.get("linestyle", "-"), zorder=1)
    return drawn
