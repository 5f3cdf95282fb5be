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
    """Figure, caption, and the numbers drawn: a panel a condition and style in which there is something to choose."""
    conditions = [c for c in view.conditions if view.own(c.prompts) and not view.of(c, view.styles).empty]
    inside = {c: _winner(view, c) for c in conditions}
    shares = {c: _shares(view, c, inside[c]) for c in conditions}
    asked = [(c, kind) for c in conditions for kind in VARIANTS if _choice(shares[c], kind)]
    if not asked:
        allowed = "allowed where the winner is written in several styles"
        raise ValueError(f"studies.{view.name}.figures: found styles, {allowed}")
    figure, panels = style.panels(len(asked), height=2.3)
    data: list[pd.DataFrame] = []
    for (condition, kind), (ax,) in zip(asked, panels, strict=True):
        table, runs = shares[condition], view.of(condition)
        x: list[float] = []
        handles = []
        for i, variant in enumerate(VARIANTS[kind]):
            rows = table[(table["style"] == kind) & (table["variant"] == variant)]
            if rows.empty:
                continue
            handles.append(Line2D([], [], label=variant, **style.series_style(i)))
            for line in lines(rows, runs):
                x += list(line["completions_sampled"])
                style.band(ax, line["completions_sampled"], line, **style.series_style(i))
                kept = {"format": inside[condition], "style": kind, "variant": variant}
                data.append(line.assign(**vars(condition), **kept, question_set=view.own(condition.prompts)))
        style.share_axis(ax, f"share of {inside[condition]}")
        style.first_pass(ax, view.first_pass(condition))
        style.completions_axis(ax, x)
        style.names_inside(ax, handles)
        style.title(ax, f"{'neutral twin' if kind == TWIN else kind} · {condition.label()}", view.world)
    style.legend(figure, [style.first_pass_handle()])
    caption = (
        "Variants of style among the sampled completions in the format that the run ended with, during RL, where the "
        f"second one is ever written in {SHOWN:.0%} of them; step 0 is the base model. The neutral twin is two ways to "
        "say the same thing at equal accuracy: what moves it is drift. "
        + captions.tail(view, [view.own(c.prompts) for c, _ in asked])
    )
    return figure, caption, pd.concat(data, ignore_index=True)


def _choice(shares: pd.DataFrame, kind: str) -> bool:
    return bool(shares.loc[shares["style"] == kind, "variant"].nunique() > 1)


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
