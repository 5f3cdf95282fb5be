"""T1: the shares that the base model foretells against those that RL ended with, and what the theory must beat."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from echochamber.analysis.claims.thresholds import thresholds
from echochamber.analysis.studies import Condition, StudyView, points, seeds_in_words
from echochamber.figures import style
from echochamber.formats import FORMATS

SHOWN = 0.02
"""A format that no row gives this share is left out."""
SHARES = (
    ("base", "base model", {"marker": "o", "markerfacecolor": "white"}),
    ("corrected", "predicted", {"marker": "D"}),
    ("measured", "end of RL", {"marker": "o"}),
)
ERRORS = (
    ("error", "theory"),
    ("error_base", "base model's\nshares"),
    ("error_limit", "share x\naccuracy"),
    ("error_neighbour", "neighbouring\ncoefficient"),
)


def draw(view: StudyView) -> tuple[Figure, str, pd.DataFrame]:
    """Figure, caption, and the numbers drawn."""
    conditions = [c for c in view.conditions if (view.of(c, view.theory)["measure"] == "corrected").any()]
    if not conditions:
        raise ValueError(f"studies.{view.name}.figures: found stationary, allowed where an algorithm has a theory")
    figure, panels = style.panels(len(conditions), rows_each=2, height=2.2)
    data: list[dict] = []
    strict = 0
    for condition, axes in zip(conditions, panels, strict=True):
        table = view.of(condition, view.theory)
        first = table[table["measure"] == "corrected"].iloc[0]
        strict += bool(first["strict"])
        data += _shares(axes[0], view, condition, table) + _errors(axes[1], view, condition, table)
        law = f"law {first['law']}, beta {float(first['beta']):g}"
        axes[1].set_xlabel(law if first["strict"] else f"{law}, does not apply strictly", fontsize=7)
        style.titles(axes, condition.label(), view.world)
    handles = [
        Line2D([], [], color="#333333", linestyle="none", label=label, **({"markersize": 4} | look))
        for _, label, look in SHARES
    ]
    limit = Line2D([], [], color="#777777", linestyle=":", linewidth=1.0, label="threshold of T1")
    style.legend(figure, [*handles, limit])
    words = seeds_in_words(view)
    caption = (
        "Shares of the formats on the RL prompts, not on held-out questions: of the base model, as the theory "
        "foretells them from its samples, corrected for their number, and at the end of RL; and the root mean square "
        "error of the "
        f"prediction beside those of its nulls. The law applies strictly to {strict} of {len(conditions)} conditions; "
        "the others are for comparison. Whiskers: 95 % t-interval over seeds from three on, else over questions. "
        f"{words[0].upper()}{words[1:]}. World: {view.world}."
    )
    return figure, caption, pd.DataFrame(data)


def _shares(ax: Axes, view: StudyView, condition: Condition, table: pd.DataFrame) -> list[dict]:
    rows = table[table["measure"].isin([name for name, _, _ in SHARES])]
    formats = [f for f in FORMATS if rows.loc[rows["format"] == f, "estimate"].max() >= SHOWN]
    drawn = []
    for x, name in enumerate(formats):
        for i, (measure, _, look) in enumerate(SHARES):
            part = rows[(rows["format"] == name) & (rows["measure"] == measure)]
            at = x + style.spread(i, len(SHARES), 0.22)
            drawn += _points(ax, view, condition, part, at, {"color": style.FORMAT_COLOURS[name]} | look)
    ax.set_xticks(range(len(formats)), formats)
    ax.set_xlim(-0.5, len(formats) - 0.5)
    style.share_axis(ax, "share of completions")
    return drawn


def _errors(ax: Axes, view: StudyView, condition: Condition, table: pd.DataFrame) -> list[dict]:
    drawn = []
    errors = [(measure, label) for measure, label in ERRORS if (table["measure"] == measure).any()]
    for x, (measure, _) in enumerate(errors):
        part = table[table["measure"] == measure]
        look = {"color": "#333333", "marker": "o"} | ({} if measure == "error" else {"markerfacecolor": "white"})
        drawn += _points(ax, view, condition, part, x, look)
    ax.axhline(thresholds()["T1"]["rmse"], zorder=0, color="#777777", linestyle=":", linewidth=1.0)
    ax.set_xticks(range(len(errors)), [label for _, label in errors], fontsize=6.5)
    ax.set_xlim(-0.5, len(errors) - 0.5)
    ax.set_ylim(bottom=0)
    ax.set_ylabel("error of shares\npredicted by")
    return drawn


def _points(ax: Axes, view: StudyView, condition: Condition, rows: pd.DataFrame, x: float, look: dict) -> list[dict]:
    if rows.empty:
        return []
    drawn = []
    of_seeds = points(rows.assign(step=0, completions_sampled=0.0), view.of(condition).assign(step=0))
    for i, point in enumerate(of_seeds):
        style.whisker(ax, x + style.spread(i, len(of_seeds), 0.05), point, **({"markersize": 4} | look))
        kept = {"measure": rows["measure"].iloc[0], "format": rows["format"].iloc[0]}
        kept |= {name: rows[name].iloc[0] for name in ("law", "beta", "strict")}
        numbers = {name: point[name] for name in ("estimate", "low", "high", "n_seeds", "seed", "interval")}
        drawn.append(vars(condition) | kept | numbers)
    return drawn
