"""pass@k by all right answers and by those with right steps only, before and after RL, one panel a condition."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from echochamber.analysis.studies import StudyView, points
from echochamber.figures import captions, style

CURVES = (
    ("pass_at_k", 0, "base model, right answers"),
    ("pass_at_k_by_right_steps", 0, "base model, right steps"),
    ("pass_at_k", 1, "after RL, right answers"),
    ("pass_at_k_by_right_steps", 1, "after RL, right steps"),
)
CHANCE = {"color": "#777777", "linestyle": ":", "marker": ""}


def draw(view: StudyView) -> tuple[Figure, str, pd.DataFrame]:
    """Figure, caption, and the numbers drawn. Raises ValueError if no question of the study has a gold graph."""
    conditions = [c for c in view.conditions if not view.of(c, view.process).empty and view.own(c.prompts)]
    if not conditions:
        raise ValueError(
            f"studies.{view.name}.figures: found process, which needs questions with a gold graph, allowed: a study "
            "with a synthetic question set"
        )
    figure, panels = style.panels(len(conditions), height=2.5)
    data = []
    for condition, (ax,) in zip(conditions, panels, strict=True):
        runs = view.of(condition)
        rows = view.of(condition, view.process)
        rows = rows[rows["question_set"] == view.own(condition.prompts)].assign(completions_sampled=0.0)
        ks = sorted(int(k) for k in rows["k"].dropna().unique())
        for i, (measure, end, _) in enumerate(CURVES):
            step = view.last_step(condition) if end else 0
            measure_rows = rows[(rows["measure"] == measure) & (rows["step"] == step)]
            for line in _curves(measure_rows, runs, ks):
                style.band(ax, line["k"], line, **style.series_style(i))
                data.append(line.assign(**vars(condition), measure=measure, step=step))
        chance = rows[(rows["measure"] == "chance_at_k") & (rows["step"] == 0)].groupby("k")["estimate"].first()
        ax.plot(chance.index.astype(int), chance, **CHANCE)
        ax.set_xscale("log", base=2)
        ax.set_xticks(ks, [str(k) for k in ks])
        ax.set_xlabel("k")
        style.share_axis(ax, "pass@k")
        style.title(ax, condition.label(), view.world)
    handles = [Line2D([], [], label=label, **style.series_style(i)) for i, (_, _, label) in enumerate(CURVES)]
    style.legend(figure, [*handles, Line2D([], [], label="k blind guesses", **CHANCE)])
    caption = (
        "pass@k (unbiased estimator) before and after RL, counting every right answer, and only those in which each "
        "quantity of the question's graph is computed from the right numbers and no equation is false; dotted: the "
        "most that k guesses earn without reading the question. "
        + captions.tail(view, [view.own(c.prompts) for c in conditions])
    )
    return figure, caption, pd.concat(data, ignore_index=True)


def _curves(rows: pd.DataFrame, runs: pd.DataFrame, ks: list[int]) -> list[pd.DataFrame]:
    """pass@k against k: the mean over seeds, or a curve for each seed where seeds are few."""
    each = [points(rows[rows["k"] == k], runs) for k in ks]
    return [pd.DataFrame(list(of_seed)).assign(k=ks) for of_seed in zip(*each, strict=True)]
