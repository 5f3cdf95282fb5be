"""Share of each label or mark of the grid's behaviours during RL, as a mean field foretells it too, and accuracy."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from echochamber.analysis.studies import StudyView, lines
from echochamber.figures import captions, style
from echochamber.figures.formats import COUNTED
from echochamber.figures.shown_behaviours import Shown, asked, of_panel

MEASURES = (("share", "share of completions"), ("accuracy", "accuracy of those"))
FORETOLD = {"linestyle": (0, (3, 1.5)), "linewidth": 1.0}
FIELD, SCOPE = "natural", "question"


def draw(view: StudyView) -> tuple[Figure, str, pd.DataFrame]:
    """Figure, caption, and the numbers drawn: a panel a condition and behaviour."""
    panels = asked(view, "behaviours")
    figure, axes_of = style.panels(len(panels), rows_each=2)
    data: list[pd.DataFrame] = []
    foretold = False
    for (condition, behaviour, some), axes in zip(panels, axes_of, strict=True):
        own = view.own(condition.prompts)
        runs = view.of(condition)
        table = of_panel(view.behaviours["behaviour_shares"], view, condition, behaviour, own)
        fields = of_panel(view.behaviours["behaviour_dynamics"], view, condition, behaviour, own)
        fields = fields[(fields["field"] == FIELD) & (fields["scope"] == SCOPE)]
        common = vars(condition) | {"behaviour": behaviour, "question_set": own}
        for ax, (metric, label) in zip(axes, MEASURES, strict=True):
            rows = table[table["metric"] == metric]
            x = list(rows["completions_sampled"])
            for one in some:
                mine = one.of(rows)
                mine = mine[mine["n_samples"] >= COUNTED] if metric == "accuracy" else mine
                for line in lines(mine, runs):
                    style.band(ax, line["completions_sampled"], line, **one.look)
                    data.append(line.assign(**common, metric=metric, label=one.name))
                if metric == "share" and len(fields):
                    foretold = True
                    data.append(_field(ax, one, fields).assign(**common, metric="foretold share", label=one.name))
            style.share_axis(ax, label)
            style.first_pass(ax, view.first_pass(condition))
            style.completions_axis(ax, x, label=style.lowest(axes, ax))
        style.names_inside(axes[0], [Line2D([], [], label=one.name, **one.look) for one in some])
        style.titles(axes, f"{behaviour} · {condition.label()}", view.world)
    handles = [Line2D([], [], color="#444444", label="foretold from the base model", **FORETOLD)] if foretold else []
    style.legend(figure, [*handles, style.first_pass_handle()])
    caption = (
        "Share of each label, or of each mark, of the behaviours among sampled completions during RL, and accuracy of "
        f"the completions that bear it, where at least {COUNTED} do; step 0 is the base model. "
        + ("Dashed: natural gradient, question by question, at the pace of the formats. " if foretold else "")
        + captions.tail(view, dict.fromkeys(view.own(c.prompts) for c, _, _ in panels))
    )
    return figure, caption, pd.concat(data, ignore_index=True)


def _field(ax: Axes, one: Shown, fields: pd.DataFrame) -> pd.DataFrame:
    """Draw what a mean field foretells of a label, the mean over runs."""
    mean = one.of(fields).groupby("step")[["completions_sampled", "estimate"]].mean().reset_index()
    ax.plot(mean["completions_sampled"], mean["estimate"], color=one.look["color"], **FORETOLD)
    return mean
