"""Mixtures compared: shares of formats and accuracy before and after RL (the paper's Figures 4, 5 and 10)."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from echochamber.analysis.studies import Condition, StudyView, points
from echochamber.figures import captions, palette, published, style
from echochamber.formats import FORMATS

SHOWN = 0.005


def draw(view: StudyView) -> tuple[Figure, str, pd.DataFrame]:
    """Figure, caption, and the numbers drawn."""
    groups: dict[tuple, list[Condition]] = {}
    for condition in view.conditions:
        if view.own(condition.prompts):
            groups.setdefault((condition.scale, condition.algorithm, condition.prompts), []).append(condition)
    most = max(len(group) for group in groups.values())
    figure, panels = style.panels(3 * len(groups), columns=3, height=0.55 * most + 1.1)
    data: list[dict] = []
    known: list[published.Value] = []
    bases: set[tuple[str, str]] = set()
    """Base models whose published values are drawn: once, whatever RL came after."""
    for i, group in enumerate(groups.values()):
        shares, greedy, best = (panels[3 * i + j][0] for j in range(3))
        own = view.own(group[0].prompts)
        k = view.k(own)
        formats = [f for f in FORMATS if _largest(view, group, own, f) >= SHOWN]
        for y, condition in enumerate(group):
            base = (condition.mixture, condition.scale)
            first, bases = base not in bases, bases | {base}
            for j, name in enumerate(formats):
                at = y + 0.16 * (j - (len(formats) - 1) / 2)
                look = {"color": style.FORMAT_COLOURS[name], "marker": style.FORMAT_MARKERS[name]}
                data += _before_and_after(shares, view, condition, own, "share", None, name, at, look)
                value = published.of_base(view, *base, own, "share", form=name) if first else None
                known += _diamond(shares, value, at)
            for ax, metric, at_k in ((greedy, "greedy_accuracy", None), (best, "pass_at_k", k)):
                data += _before_and_after(
                    ax, view, condition, own, metric, at_k, None, y, {"color": "#332288", "marker": "o"}
                )
                before = published.of_base(view, *base, own, metric, k=at_k) if first else None
                after = published.after(view, condition, own, metric, k=at_k)
                known += _diamond(ax, before, y + 0.25) + _diamond(ax, after, y + 0.25, palette.PAPER)
        for ax, what in ((shares, "share of completions"), (greedy, "pass@1 (greedy)"), (best, f"pass@{k}")):
            ax.set_xlim(-0.03, 1.03)
            ax.set_xlabel(what)
            ax.set_yticks(range(len(group)), [c.mixture for c in group] if ax is shares else [""] * len(group))
            ax.set_ylim(len(group) - 0.45, -0.55)
            style.title(ax, f"{what} · {group[0].label('mixture')}", view.world)
    handles = [
        *style.format_handles(FORMATS),
        Line2D([], [], color="#555555", marker="o", markerfacecolor="white", linestyle="none", label="base model"),
        Line2D([], [], color="#555555", marker="o", linestyle="none", label="after RL"),
    ]
    if known:
        handles.append(style.paper_handle("published (open: before, filled: after RL)"))
    style.legend(figure, handles)
    caption = (
        "Before (open) and after RL (filled), by mixture: shares of formats, greedy pass@1 and pass@k. "
        + published.sentence(known)
        + captions.tail(view, [view.own(g[0].prompts) for g in groups.values()])
    )
    return figure, caption, pd.DataFrame(data)


def _largest(view: StudyView, group: list[Condition], own: str, name: str) -> float:
    return max(view.measure(c, "share", own, format=name)["estimate"].max() for c in group)


def _before_and_after(
    ax: Axes,
    view: StudyView,
    condition: Condition,
    own: str,
    metric: str,
    k: int | None,
    form: str | None,
    y: float,
    look: dict,
) -> list[dict]:
    rows = view.measure(condition, metric, own, k=k, format=form)
    drawn, means = [], []
    for step, face in ((0, "white"), (view.last_step(condition), look["color"])):
        run_points = points(rows[rows["step"] == step], view.of(condition))
        for i, point in enumerate(run_points):
            style.whisker(
                ax, y + style.spread(i, len(run_points), 0.05), point, horizontal=True, markerfacecolor=face, **look
            )
            drawn.append(
                vars(condition) | {"question_set": own, "metric": metric, "k": k, "format": form} | dict(point)
            )
        means.append(sum(p["estimate"] for p in run_points) / len(run_points))
    ax.plot(means, [y, y], color=look["color"], linewidth=0.9, alpha=0.6, zorder=1)
    return drawn


def _diamond(ax: Axes, value: published.Value | None, y: float, face: str = "none") -> list[published.Value]:
    if value is None:
        return []
    ax.plot([value.value], [y], **(style.PUBLISHED | {"markerfacecolor": face}))
    return [value]
