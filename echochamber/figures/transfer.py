"""What RL on one question set does to accuracy on the others (the paper's Table 1)."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from echochamber.analysis.studies import Condition, StudyView, points
from echochamber.figures import captions, published, style

MEASURES = (("greedy_accuracy", "pass@1 (greedy)"), ("pass_at_k", "mean accuracy of samples"))


def draw(view: StudyView) -> tuple[Figure, str, pd.DataFrame]:
    """Figure, caption, and the numbers drawn."""
    conditions = view.conditions
    benchmarks = list(view.study.benchmarks)
    figure, panels = style.panels(len(benchmarks), columns=3, height=0.42 * len(conditions) + 1.1, width=3.6)
    data: list[dict] = []
    known: list[published.Value] = []
    for benchmark, (ax,) in zip(benchmarks, panels, strict=True):
        for y, condition in enumerate(conditions):
            for i, (metric, _) in enumerate(MEASURES):
                data += _gain(ax, view, condition, benchmark, metric, y + 0.13 * (2 * i - 1), style.series_style(i))
            before = published.of_base(view, condition.mixture, condition.scale, benchmark, "greedy_accuracy")
            after = published.after(view, condition, benchmark, "greedy_accuracy")
            if before and after:
                known += [before, after]
                gain = after.value - before.value
                ax.plot([gain], [y + 0.36], **style.PUBLISHED)
                data.append(vars(condition) | {"question_set": benchmark, "metric": "published", "estimate": gain})
        ax.axvline(0, color="#888888", linewidth=0.8, zorder=0)
        ax.set_yticks(range(len(conditions)), [view.distinctly(c) for c in conditions])
        ax.set_ylim(len(conditions) - 0.4, -0.5)
        ax.set_xlabel("gain in accuracy over the base model")
        style.signed_axis(ax.xaxis)
        own = {view.own(c.prompts) for c in conditions} == {benchmark}
        scales = ", ".join(dict.fromkeys(c.scale for c in conditions))
        style.title(ax, f"{benchmark}{' (what RL trained on)' if own else ''} · {scales}", view.world)
        ax.margins(x=0.12)
    handles = [
        Line2D([], [], label=name, **(style.series_style(i) | {"linestyle": "none"}))
        for i, (_, name) in enumerate(MEASURES)
    ]
    if known:
        handles.append(style.paper_handle("published gain, pass@1"))
    style.legend(figure, handles)
    caption = (
        "Gain in accuracy over the base model on the same held-out questions, on the question set that RL trained on "
        "and on others. "
        + published.sentence(known)
        + captions.tail(view, benchmarks).replace("interval over questions", "paired bootstrap interval over questions")
    )
    return figure, caption, pd.DataFrame(data)


def _gain(ax, view: StudyView, condition: Condition, benchmark: str, metric: str, y: float, look: dict) -> list[dict]:
    rows = view.of(condition, view.gains)
    rows = rows[(rows["question_set"] == benchmark) & (rows["metric"] == metric)]
    rows = rows.assign(completions_sampled=0.0)
    drawn = []
    run_points = points(rows, view.of(condition))
    for i, point in enumerate(run_points):
        style.whisker(
            ax,
            y + style.spread(i, len(run_points), 0.08),
            point,
            horizontal=True,
            color=look["color"],
            marker=look["marker"],
        )
        drawn.append(vars(condition) | {"question_set": benchmark, "metric": metric} | dict(point))
    return drawn
