"""Kinds of errors before and after RL, as shares of the wrong answers, one panel a condition."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from echochamber.analysis.reasoning.errors import CATEGORIES
from echochamber.analysis.studies import StudyView, points
from echochamber.figures import captions, style

STAGES = ("base model", "after RL")


def draw(view: StudyView) -> tuple[Figure, str, pd.DataFrame]:
    """Figure, caption, and the numbers drawn."""
    conditions = [c for c in view.conditions if view.own(c.prompts)]
    figure, panels = style.panels(len(conditions), height=2.6)
    data = []
    for condition, (ax,) in zip(conditions, panels, strict=True):
        own = view.own(condition.prompts)
        runs = view.of(condition)
        rows = view.of(condition, view.errors)
        rows = rows[(rows["question_set"] == own) & (rows["among"] == "wrong")].assign(completions_sampled=0.0)
        last = view.last_step(condition)
        for i, (name, step) in enumerate(zip(STAGES, (0, last), strict=True)):
            for j, category in enumerate(CATEGORIES):
                shown = rows[(rows["step"] == step) & (rows["category"] == category)]
                for k, point in enumerate(stage_points := points(shown, runs) if len(shown) else []):
                    y = j + style.spread(i, 2, 0.3) + style.spread(k, len(stage_points), 0.06)
                    style.whisker(ax, y, point, horizontal=True, markersize=4, **_look(i))
                    data.append(pd.DataFrame([point]).assign(**vars(condition), stage=name, category=category))
        ax.set_yticks(range(len(CATEGORIES)), CATEGORIES)
        ax.invert_yaxis()
        ax.set_xlim(-0.03, 1.03)
        ax.set_xlabel("share of wrong answers")
        style.title(ax, condition.label(), view.world)
    handles = [Line2D([], [], label=name, **(_look(i) | {"linestyle": "none"})) for i, name in enumerate(STAGES)]
    style.legend(figure, handles)
    caption = (
        "What is wrong in wrong answers before and after RL, by rule: each wrong completion has one kind of error. "
        + captions.tail(view, [view.own(c.prompts) for c in conditions])
    )
    return figure, caption, pd.concat(data, ignore_index=True) if data else pd.DataFrame()


def _look(i: int) -> dict:
    return {name: value for name, value in style.series_style(i).items() if name != "linestyle"}
