"""Share of each format and accuracy within it during RL, one panel a condition (the paper's Figures 2, 4, 7)."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from echochamber.analysis.studies import StudyView, lines
from echochamber.figures import captions, style
from echochamber.formats import FORMATS

MEASURES = (("share", "share of completions"), ("accuracy_within_format", "accuracy within format"))
SHOWN = 0.005
"""A format that never reaches this share in any panel is left out."""
COUNTED = 20
"""Accuracy within a format is drawn from this many completions in it on."""


def draw(view: StudyView) -> tuple[Figure, str, pd.DataFrame]:
    """Figure, caption, and the numbers drawn."""
    conditions = [c for c in view.conditions if view.own(c.prompts)]
    shares = view.scores[view.scores["metric"] == "share"]
    formats = [f for f in FORMATS if shares.loc[shares["format"] == f, "estimate"].max() >= SHOWN]
    figure, panels = style.panels(len(conditions), rows_each=2)
    data = []
    for condition, axes in zip(conditions, panels, strict=True):
        own = view.own(condition.prompts)
        for ax, (metric, label) in zip(axes, MEASURES, strict=True):
            x: list[float] = []
            for name in formats:
                rows = view.measure(condition, metric, own, format=name)
                if metric != "share":
                    rows = rows[rows["n_samples"] >= COUNTED]
                for line in lines(rows, view.of(condition)):
                    x += list(line["completions_sampled"])
                    look = {"color": style.FORMAT_COLOURS[name], "marker": style.FORMAT_MARKERS[name]}
                    style.band(ax, line["completions_sampled"], line, **look)
                    data.append(line.assign(**vars(condition), metric=metric, format=name, question_set=own))
            style.share_axis(ax, label)
            style.first_pass(ax, view.first_pass(condition))
            style.completions_axis(ax, x, label=style.lowest(axes, ax))
        style.titles(axes, condition.label(), view.world)
    style.legend(figure, [*style.format_handles(formats), style.first_pass_handle()])
    caption = (
        "Share of each format among sampled completions, and accuracy within it, during RL; "
        f"step 0 is the base model. Accuracy is drawn where at least {COUNTED} completions are in the format. "
        + captions.tail(view, [view.own(c.prompts) for c in conditions])
    )
    return figure, caption, pd.concat(data, ignore_index=True)
