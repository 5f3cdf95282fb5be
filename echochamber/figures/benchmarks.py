"""pass@1, majority@k and pass@k before and after RL on every question set (the paper's Tables 1 and 4 to 7)."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from echochamber.analysis.studies import Condition, StudyView, points
from echochamber.figures import captions, palette, published, style

STAGES = ("before", "after")
NUMBERS = ["estimate", "low", "high", "n_seeds", "seed", "interval"]
APART = 0.24
"""Between the measures of one condition, in rows."""


def draw(view: StudyView) -> tuple[Figure, str, pd.DataFrame]:
    """Figure, caption, and the numbers drawn."""
    conditions, benchmarks = view.conditions, list(view.study.benchmarks)
    columns = min(len(benchmarks), 3)
    figure, panels = style.panels(len(benchmarks), columns=columns, height=0.75 * len(conditions) + 1.0, width=3.6)
    data: list[dict] = []
    known: list[published.Value] = []
    for benchmark, (ax,) in zip(benchmarks, panels, strict=True):
        measures = _measures(view.k(benchmark))
        bases: set[tuple[str, str]] = set()
        for y, condition in enumerate(conditions):
            base = (condition.mixture, condition.scale)
            first, bases = base not in bases, bases | {base}
            for i, (metric, k, _) in enumerate(measures):
                at = y + style.spread(i, len(measures), APART)
                drawn = _before_and_after(ax, view, condition, benchmark, metric, k, at, style.series_style(i))
                before = published.of_base(view, *base, benchmark, metric, k=k) if first else None
                after = published.after(view, condition, benchmark, metric, k=k)
                for stage, value, face in ((0, before, "none"), (1, after, palette.PAPER)):
                    if value:
                        known.append(value)
                        ax.plot([value.value], [at + 0.09], **(style.PUBLISHED | {"markerfacecolor": face}))
                        for row in drawn:
                            if row["stage"] == STAGES[stage]:
                                row |= {"published": value.value, "source": f"{value.source}, {value.where}"}
                data += drawn
        ax.set_xlim(-0.03, 1.03)
        ax.set_xlabel("share of questions")
        ax.set_yticks(range(len(conditions)), [view.distinctly(c) for c in conditions])
        ax.set_ylim(len(conditions) - 0.4, -0.6)
        scales = ", ".join(dict.fromkeys(c.scale for c in conditions))
        style.title(ax, f"{benchmark} · {scales}", view.world)
    names = [name for _, _, name in _measures(None)]
    handles = [
        *(Line2D([], [], label=name, **style.series_style(i)) for i, name in enumerate(names)),
        Line2D([], [], color="#555555", marker="o", markerfacecolor="white", linestyle="none", label="base model"),
        Line2D([], [], color="#555555", marker="o", linestyle="none", label="after RL"),
    ]
    if known:
        handles.append(style.paper_handle("published (open: before, filled: after RL)"))
    style.legend(figure, handles)
    caption = (
        "Before (open) and after RL (filled) on held-out questions: greedy pass@1, majority@k, pass@k of all samples. "
        + published.sentence(known)
        + captions.tail(view, benchmarks)
    )
    return figure, caption, pd.DataFrame(data)


def table(data: pd.DataFrame) -> pd.DataFrame:
    """The numbers drawn as a table of texts: a row a condition and question set, percent with their intervals."""
    rows = []
    keys = ["question_set", "mixture", "scale", "algorithm", "prompts", "seed"]
    for key, part in data.groupby(keys, sort=False, dropna=False):
        row = dict(zip(keys[:-1], key[:-1], strict=True))
        row |= {"seeds": int(part["n_seeds"].max())}
        for metric, of_metric in part.groupby("metric", sort=False):
            at = of_metric.set_index("stage")
            k = of_metric["k"].iloc[0]
            name = {"greedy_accuracy": "pass@1", "majority_at_k": "majority", "pass_at_k": "pass"}[metric]
            name += "" if pd.isna(k) else f"@{int(k)}"
            row[f"{name}, before"], row[f"{name}, after"] = (_cell(at.loc[stage]) for stage in STAGES)
            if "published" in at and at["published"].notna().any():
                values = (f"{100 * v:.1f}" if pd.notna(v) else "?" for v in at["published"].reindex(STAGES))
                row[f"{name}, published"] = " to ".join(values)
        rows.append(row)
    shown = pd.DataFrame(rows)
    return shown[[*[c for c in shown if not c.endswith("published")], *[c for c in shown if c.endswith("published")]]]


def _cell(row: pd.Series) -> str:
    if pd.isna(row["low"]):
        return f"{100 * row['estimate']:.1f}"
    return f"{100 * row['estimate']:.1f} [{100 * row['low']:.1f}, {100 * row['high']:.1f}]"


def _measures(k: int | None) -> tuple[tuple[str, int | None, str], ...]:
    return (
        ("greedy_accuracy", None, "pass@1 (greedy)"),
        ("majority_at_k", k, "majority@k"),
        ("pass_at_k", k, "pass@k"),
    )


def _before_and_after(
    ax: Axes, view: StudyView, condition: Condition, benchmark: str, metric: str, k: int | None, y: float, look: dict
) -> list[dict]:
    rows = view.measure(condition, metric, benchmark, k=k)
    look = {"color": look["color"], "marker": look["marker"]}
    drawn, means = [], []
    last = int(rows["step"].max())
    for stage, step, face in ((STAGES[0], 0, "white"), (STAGES[1], last, look["color"])):
        of_stage = points(rows[rows["step"] == step], view.of(condition))
        for i, point in enumerate(of_stage):
            at = y + style.spread(i, len(of_stage), 0.04)
            style.whisker(ax, at, point, horizontal=True, markerfacecolor=face, **look)
            where = {"question_set": benchmark, "metric": metric, "k": k, "stage": stage}
            drawn.append(vars(condition) | where | {name: point[name] for name in NUMBERS})
        means.append(sum(p["estimate"] for p in of_stage) / len(of_stage))
    ax.plot(means, [y, y], color=look["color"], linewidth=0.9, alpha=0.6, zorder=1)
    return drawn
