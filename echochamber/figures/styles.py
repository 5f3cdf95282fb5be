"""Style inside the format that won, during RL, beside the neutral twin (the paper's Figure 6)."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from echochamber.analysis.studies import Condition, StudyView, lines
from echochamber.analysis.tables.styles import LENGTH, VARIANTS
from echochamber.figures import captions, style

TWIN = "twin"
SHOWN = 0.02
"""A variant that never reaches this share in any run is left out."""


def draw(view: StudyView) -> tuple[Figure, str, pd.DataFrame]:
    """Figure, caption, and the numbers drawn."""
    conditions = [c for c in view.conditions if view.own(c.prompts) and not view.of(c, view.styles).empty]
    if not conditions:
        raise ValueError(f"studies.{view.name}.figures: found styles, allowed where completions have a known format")
    inside = {c: _winner(view, c) for c in conditions}
    rows = {c: _shares(view, c, inside[c]) for c in conditions}
    kinds = [s for s in VARIANTS if any((table["style"] == s).any() for table in rows.values())]
    figure, panels = style.panels(len(conditions), rows_each=len(kinds), height=1.7)
    data: list[pd.DataFrame] = []
    shown: dict[tuple[str, str], dict] = {}
    for condition, axes in zip(conditions, panels, strict=True):
        own, runs = view.own(condition.prompts), view.of(condition)
        for ax, kind in zip(axes, kinds, strict=True):
            x: list[float] = []
            for i, variant in enumerate(VARIANTS[kind]):
                part = rows[condition]
                part = part[(part["style"] == kind) & (part["variant"] == variant)]
                if part.empty:
                    continue
                look = shown.setdefault((kind, variant), style.series_style(i))
                for line in lines(part, runs):
                    x += list(line["completions_sampled"])
                    style.band(ax, line["completions_sampled"], line, **look)
                    kept = {"format": inside[condition], "style": kind, "variant": variant, "question_set": own}
                    data.append(line.assign(**vars(condition), **kept))
            style.share_axis(ax, f"{kind}\n(share of {inside[condition]})")
            style.first_pass(ax, view.first_pass(condition))
            style.completions_axis(ax, x, label=style.lowest(axes, ax))
            style.names_inside(ax, [Line2D([], [], label=v, **look) for (k, v), look in shown.items() if k == kind])
        style.titles(axes, condition.label(), view.world)
    style.legend(figure, [style.first_pass_handle()])
    caption = (
        "Variants of style among the sampled completions in the format that the run ended with, during RL; step 0 is "
        "the base model. The twin is two ways to say the same thing: what moves it is drift. "
        + captions.tail(view, [view.own(c.prompts) for c in conditions])
    )
    return figure, caption, pd.concat(data, ignore_index=True)


def _winner(view: StudyView, condition: Condition) -> str:
    """The format of the largest mean share at the end."""
    return str(view.shares(condition, view.own(condition.prompts), view.last_step(condition)).mean().idxmax())


def _shares(view: StudyView, condition: Condition, inside: str) -> pd.DataFrame:
    """The rows of variants inside a format, without lengths and without what is hardly ever written."""
    table = view.of(condition, view.styles)
    own = table["question_set"] == view.own(condition.prompts)
    table = table[own & (table["format"] == inside) & (table["style"] != LENGTH)]
    largest = table.groupby(["style", "variant"])["estimate"].transform("max")
    return table[largest >= SHOWN]
