"""Runs that differ in the KL coefficient: formats left, accuracy, and the KL they ended with (Figures 3 and 8)."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from echochamber.analysis import replicates
from echochamber.analysis.studies import (
    SEEDS_FOR_A_BAND,
    Condition,
    StudyView,
    final_kl,
    kl_families,
    late_batches,
    points,
)
from echochamber.figures import captions, style
from echochamber.formats import FORMATS
from echochamber.stats.intervals import t_interval


def draw(view: StudyView) -> tuple[Figure, str, pd.DataFrame]:
    """Figure, caption, and the numbers drawn."""
    families = kl_families(view)
    if not families:
        raise ValueError(f"studies.{view.name}.figures: found kl, allowed where algorithms differ in their KL alone")
    figure, panels = style.panels(3 * len(families), columns=3, height=2.3)
    data: list[dict] = []
    ks = set()
    for i, family in enumerate(families):
        left, middle, right = (panels[3 * i + j][0] for j in range(3))
        own = view.own(family[0].prompts)
        k = view.k(own)
        ks.add(k)
        labels = [f"{view.algorithm(c).kl.coefficient:g}" for c in family]
        for name in FORMATS:
            look = {"color": style.FORMAT_COLOURS[name], "marker": style.FORMAT_MARKERS[name]}
            data += _across(left, view, family, own, "share", None, name, look)
        for j, (metric, at) in enumerate((("greedy_accuracy", None), ("majority_at_k", k), ("pass_at_k", k))):
            data += _across(middle, view, family, own, metric, at, None, style.series_style(j))
        data += _final_kl(right, view, family)
        style.share_axis(left, "share of completions")
        style.share_axis(middle, "share of questions")
        for ax in (left, middle):
            ax.set_xticks(range(len(family) + 1), ["base", *labels])
            ax.set_xlim(-0.4, len(family) + 0.4)
        right.set_xticks(range(1, len(family) + 1), labels)
        right.set_xlim(0.4, len(family) + 0.6)
        right.margins(y=0.1)
        low, high = right.get_ylim()
        right.set_ylim(min(0, low), high)
        right.set_ylabel("KL from the base model\n(nats per completion)")
        first_kl = view.algorithm(family[0]).kl
        kl = next((view.algorithm(c).kl for c in family if view.algorithm(c).kl.place != "none"), first_kl)
        for ax, what in ((left, "formats"), (middle, "accuracy"), (right, "final KL")):
            ax.set_xlabel(f"KL coefficient ({kl.estimator} in the {kl.place})")
            kind = view.algorithm(family[0]).kind
            style.title(ax, f"{what} · {family[0].label('algorithm')} · {kind}", view.world)
    shown = str(ks.pop()) if len(ks) == 1 else "k"
    names = ("pass@1 (greedy)", f"majority@{shown}", f"pass@{shown}")
    measures = [Line2D([], [], label=name, **style.series_style(j)) for j, name in enumerate(names)]
    style.legend(figure, [*style.format_handles(FORMATS), *measures])
    caption = (
        "Runs that differ in the KL coefficient alone, at the end of RL, with the base model at the left: shares of "
        "formats, accuracy, and the KL from the base model (k1, mean over the last tenth of the rollout batches, on "
        "the training prompts; whiskers of single runs: the middle 95 % of these batches). "
        + captions.tail(view, [view.own(f[0].prompts) for f in families])
    )
    return figure, caption, pd.DataFrame(data)


def _across(
    ax: Axes,
    view: StudyView,
    family: list[Condition],
    own: str,
    metric: str,
    k: int | None,
    form: str | None,
    look: dict,
) -> list[dict]:
    """One measure at the base model and at the end of each run of a family; returns the numbers drawn."""
    drawn = []
    for x, condition in enumerate([family[0], *family]):
        rows = view.measure(condition, metric, own, k=k, format=form)
        rows = rows[rows["step"] == (0 if x == 0 else view.last_step(condition))]
        coefficient = None if x == 0 else view.algorithm(condition).kl.coefficient
        run_points = points(rows, view.of(condition))
        for i, point in enumerate(run_points):
            style.whisker(
                ax, x + style.spread(i, len(run_points)), point, **{"color": look["color"], "marker": look["marker"]}
            )
            drawn.append(
                vars(condition)
                | {"coefficient": coefficient, "metric": metric, "k": k, "format": form, "x": x}
                | {"question_set": own}
                | dict(point)
            )
    means = pd.DataFrame(drawn).groupby("x")["estimate"].mean()
    ax.plot(means.index[1:], means.iloc[1:], color=look["color"], linestyle=look.get("linestyle", "-"), linewidth=1)
    return drawn


def _final_kl(ax: Axes, view: StudyView, family: list[Condition]) -> list[dict]:
    drawn = []
    for x, condition in enumerate(family, start=1):
        values = replicates.by_replicate(final_kl(view, condition), "kl")
        estimate, low, high = t_interval(values)
        numbers = {"estimate": estimate, "low": low, "high": high, "n_seeds": len(values)}
        if len(values) < SEEDS_FOR_A_BAND:
            numbers |= {"low": float("nan"), "high": float("nan")}
            late = late_batches(view, condition)
            for i, (_, batches) in enumerate(late.groupby("id", sort=False)):
                each = dict(zip(("low", "high"), batches["kl"].quantile([0.025, 0.975]), strict=True))
                at = x + style.spread(i, len(values))
                style.whisker(ax, at, each | {"estimate": batches["kl"].mean()}, color="#333333", marker="o")
        else:
            style.whisker(ax, x, numbers, color="#333333", marker="o")
        drawn.append(
            vars(condition) | {"coefficient": view.algorithm(condition).kl.coefficient, "metric": "kl"} | numbers
        )
    ax.plot(range(1, len(family) + 1), [d["estimate"] for d in drawn], color="#333333", linewidth=1)
    return drawn
