"""Base models by share and accuracy of their two formats, in the colour of the one that RL ended with."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from echochamber.analysis import replicates
from echochamber.analysis.studies import Condition, StudyView
from echochamber.figures import captions, style
from echochamber.formats import FORMATS

LEAST = 0.02
"""A model whose second format has a smaller share has nothing to choose between."""


def draw(view: StudyView) -> tuple[Figure, str, pd.DataFrame]:
    """Figure, caption, and the numbers drawn: a panel a pair of formats, scale, algorithm and prompts."""
    rows = [row for c in view.conditions if (own := view.own(c.prompts)) for row in _models(view, c, own)]
    table = pd.DataFrame(rows)
    chosen = table[table["least"] >= LEAST] if len(table) else table
    if chosen.empty:
        raise ValueError(f"studies.{view.name}.figures: found map, allowed where base models write two formats")
    keys = ["first", "second", "scale", "algorithm", "prompts"]
    groups = list(chosen.groupby(keys, sort=False))
    figure, panels = style.panels(len(groups), height=2.7)
    for (key, group), (ax,) in zip(groups, panels, strict=True):
        _panel(ax, group)
        style.title(ax, f"{key[0]} or {key[1]} · {key[2]} · {key[3]}", view.world)
    winners = [f for f in FORMATS if f in set(chosen["winner"])]
    style.legend(figure, style.format_handles(winners))
    left_out = len(table) - len(chosen)
    caption = (
        "Base models by what RL could choose between on held-out questions: the share of the first of their two most "
        "frequent formats among both, and how much more often it is right; the colour is that of the format that RL "
        "ended with, a point a replicate. Right of the vertical line the first format is the more frequent one, above "
        "the horizontal line the more accurate one. "
        + (f"{left_out} with a second format below {LEAST:g} are left out. " if left_out else "")
        + captions.tail(view, [view.own(c.prompts) for c in view.conditions if view.own(c.prompts)])
    )
    return figure, caption, chosen.drop(columns="least").reset_index(drop=True)


def _models(view: StudyView, condition: Condition, own: str) -> list[dict]:
    """One row a base model: its two most frequent formats in the order of `FORMATS`, and the winner."""
    before, after = (view.shares(condition, own, step) for step in (0, view.last_step(condition)))
    accuracy = pd.DataFrame(
        {f: curve[0] for f in FORMATS if 0 in (curve := _accuracy(view, condition, own, f))}
    ).reindex(before.index)
    rows = []
    of_models = replicates.unit(view.of(condition)) == "model_seed"
    for seed, shares in before.iterrows():
        two = sorted(shares.nlargest(2).index, key=FORMATS.index)
        share, right = shares[two], accuracy.reindex(columns=two).loc[seed].fillna(0.0)
        row = {"seed": seed, "first": two[0], "second": two[1], "least": share.min()}
        row |= {"share_of_both": share[two[0]] / share.sum(), "accuracy_gap": right[two[0]] - right[two[1]]}
        rows.append(vars(condition) | row | {"winner": after.loc[seed].idxmax(), "winner_share": after.loc[seed].max()})
        if not of_models:
            rows[-1] |= {"seed": None}
    return rows


def _accuracy(view: StudyView, condition: Condition, own: str, form: str) -> pd.DataFrame:
    return view.curve(condition, "accuracy_within_format", own, format=form)


def _panel(ax: Axes, group: pd.DataFrame) -> None:
    for name, part in group.groupby("winner", sort=False):
        look = {"color": style.FORMAT_COLOURS[name], "marker": style.FORMAT_MARKERS[name], "markersize": 5}
        look |= {"markeredgecolor": "white", "markeredgewidth": 0.4, "linestyle": "none"}
        ax.plot(part["share_of_both"], part["accuracy_gap"], **look)
    first, second = group[["first", "second"]].iloc[0]
    ax.axvline(0.5, zorder=0, color="#888888", linewidth=0.8)
    ax.axhline(0, zorder=0, color="#888888", linewidth=0.8)
    largest = max(0.1, 1.15 * group["accuracy_gap"].abs().max())
    ax.set_xlim(-0.03, 1.03)
    ax.set_ylim(-largest, largest)
    style.signed_axis(ax.yaxis)
    ax.set_xlabel(f"share of {first} among both")
    ax.set_ylabel(f"accuracy within {first}\nless that within {second}")
