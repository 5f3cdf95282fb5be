"""What RL does to each label or mark: its share before RL, as the law of the algorithm foretells it, and after."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from echochamber.analysis.studies import StudyView, points
from echochamber.figures import captions, style
from echochamber.figures.shown_behaviours import asked, of_panel

LOOKS = {
    "base": {"marker": "o", "markerfacecolor": "none", "color": "#777777"},
    "foretold": {"marker": "D", "markerfacecolor": "none", "color": "#D55E00"},
    "measured": {"marker": "o", "color": "#332288"},
}
WORDS = {"base": "base model", "foretold": "foretold from it", "measured": "after RL"}


def draw(view: StudyView) -> tuple[Figure, str, pd.DataFrame]:
    """Figure, caption, and the numbers drawn: a panel a condition and behaviour, a row a label or mark."""
    panels = asked(view, "amplified")
    most = max(len(some) for _, _, some in panels)
    figure, axes_of = style.panels(len(panels), height=1.1 + 0.28 * most)
    data: list[pd.DataFrame] = []
    for (condition, behaviour, some), (ax,) in zip(panels, axes_of, strict=True):
        own = view.own(condition.prompts)
        runs = view.of(condition)
        table = of_panel(view.behaviours["behaviour_theory"], view, condition, behaviour, own)
        for i, one in enumerate(some):
            for j, (measure, look) in enumerate(LOOKS.items()):
                rows = one.of(table[table["measure"] == measure]).assign(step=1, completions_sampled=0.0)
                for k, point in enumerate(several := points(rows, runs) if len(rows) else []):
                    at = i + style.spread(j, len(LOOKS), 0.22) + style.spread(k, len(several), 0.05)
                    style.whisker(ax, at, point, horizontal=True, markersize=4, **look)
                    common = vars(condition) | {"behaviour": behaviour, "question_set": own}
                    data.append(pd.DataFrame([point]).assign(**common, measure=measure, label=one.name))
        ax.set_xlim(-0.03, 1.03)
        ax.set_xlabel("share of completions")
        ax.set_yticks(range(len(some)), [one.name for one in some])
        ax.set_ylim(len(some) - 0.45, -0.55)
        style.title(ax, f"{behaviour} · {condition.label()}", view.world)
    style.legend(figure, [Line2D([], [], linestyle="none", label=WORDS[name], **look) for name, look in LOOKS.items()])
    caption = (
        "Share of each label, or of each mark, of the behaviours: in the base model, as the law of the algorithm "
        "foretells it from the base model's samples on the same held-out questions, and after RL. An algorithm without "
        "a theory has no forecast. " + captions.tail(view, dict.fromkeys(view.own(c.prompts) for c, _, _ in panels))
    )
    return figure, caption, pd.concat(data, ignore_index=True)
