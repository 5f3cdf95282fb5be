"""pass@1, pass@k and majority@k during RL, one panel a condition (the paper's Figures 2 and 5)."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from echochamber.analysis.studies import StudyView, lines
from echochamber.figures import captions, style


def draw(view: StudyView) -> tuple[Figure, str, pd.DataFrame]:
    """Figure, caption, and the numbers drawn."""
    conditions = [c for c in view.conditions if view.own(c.prompts)]
    figure, panels = style.panels(len(conditions), height=2.5)
    data, ks = [], set()
    for condition, (ax,) in zip(conditions, panels, strict=True):
        own = view.own(condition.prompts)
        k = view.k(own)
        ks.add(k)
        x: list[float] = []
        for i, (metric, at) in enumerate((("greedy_accuracy", None), ("majority_at_k", k), ("pass_at_k", k))):
            for line in lines(view.measure(condition, metric, own, k=at), view.of(condition)):
                x += list(line["completions_sampled"])
                style.band(ax, line["completions_sampled"], line, **style.series_style(i))
                data.append(line.assign(**vars(condition), metric=metric, k=at, question_set=own))
        style.share_axis(ax, "share of questions")
        style.first_pass(ax, view.first_pass(condition))
        style.completions_axis(ax, x)
        style.title(ax, condition.label(), view.world)
    shown = str(ks.pop()) if len(ks) == 1 else "k"
    names = ("pass@1 (greedy)", f"majority@{shown}", f"pass@{shown}")
    measures = [Line2D([], [], label=name, **style.series_style(i)) for i, name in enumerate(names)]
    style.legend(figure, [*measures, style.first_pass_handle()])
    caption = (
        f"Greedy pass@1, majority@{shown} (a true vote, ties at random) and pass@{shown} (unbiased estimator) "
        "during RL; step 0 is the base model. " + captions.tail(view, [view.own(c.prompts) for c in conditions])
    )
    return figure, caption, pd.concat(data, ignore_index=True)
