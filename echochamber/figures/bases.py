"""Base models before any RL: those trained here, those imported and published values, one row a mixture."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from echochamber.analysis.studies import StudyView
from echochamber.figures import published, style
from echochamber.formats import FORMATS

SHOWN = 0.005
"""A format that no model of the study writes this often is left out."""
ORIGINS = ("trained here", "imported")
LOOKS = ({"color": "#332288", "marker": "o"}, {"color": "#D55E00", "marker": "s", "markerfacecolor": "white"})
APART = 0.17
"""Between the models of one mixture, in rows."""


def draw(view: StudyView) -> tuple[Figure, str, pd.DataFrame]:
    """Figure, caption, and the numbers drawn."""
    scores = view.model_scores
    last = scores[scores["step"] == scores.groupby("id")["step"].transform("max")]
    models = view.models.assign(origin=view.models["random_numbers"].isna().astype(int))
    groups = [(scale, name) for scale in dict.fromkeys(models["scale"]) for name in view.study.benchmarks]
    rows = max(models[models["scale"] == scale]["mixture"].nunique() for scale, _ in groups)
    figure, panels = style.panels(4 * len(groups), columns=4, height=0.42 * rows + 1.1)
    shares = last[last["metric"] == "share"]
    formats = [f for f in FORMATS if shares.loc[shares["format"] == f, "estimate"].max() >= SHOWN]
    data: list[dict] = []
    known: list[published.Value] = []
    for i, (scale, benchmark) in enumerate(groups):
        part = models[models["scale"] == scale]
        k = view.k(benchmark)
        measures = (("share", None), ("greedy_accuracy", None), ("majority_at_k", k), ("pass_at_k", k))
        names = list(dict.fromkeys(part["mixture"]))
        for (ax,), (metric, at) in zip(panels[4 * i : 4 * i + 4], measures, strict=True):
            measured = last[(last["question_set"] == benchmark) & (last["metric"] == metric)]
            measured = measured if at is None else measured[measured["k"] == at]
            for y, mixture in enumerate(names):
                of_mixture = part[part["mixture"] == mixture]
                data += _models(ax, y, of_mixture, measured, formats if metric == "share" else [None])
                for form in formats if metric == "share" else [None]:
                    if value := published.of_base(view, mixture, scale, benchmark, metric, k=at, form=form):
                        known.append(value)
                        ax.plot([value.value], [y + 0.38], **style.PUBLISHED)
            what = {"share": "share of completions", "greedy_accuracy": "pass@1 (greedy)"}.get(metric)
            what = what or f"{'majority' if metric == 'majority_at_k' else 'pass'}@{k}"
            ax.set_xlim(-0.03, 1.03)
            ax.set_xlabel(what)
            ax.set_yticks(range(len(names)), names if metric == "share" else [""] * len(names))
            ax.set_ylim(len(names) - 0.45, -0.55)
            style.title(ax, f"{what} · {benchmark} · {scale}", view.world)
    handles = [
        *style.format_handles(formats),
        *(Line2D([], [], label=f"model {o}", linestyle="none", **look) for o, look in zip(ORIGINS, LOOKS, strict=True)),
    ]
    if known:
        handles.append(style.paper_handle())
    style.legend(figure, handles)
    settings = [view.file.benchmarks[name] for name in view.study.benchmarks]
    sampled = "; ".join(
        f"{name}: {s.samples} samples, temperature {s.temperature:g}, top_p {s.top_p:g}"
        for name, s in zip(view.study.benchmarks, settings, strict=True)
    )
    caption = (
        "Base models before RL on held-out questions: shares of formats (open: imported models), greedy pass@1, "
        f"majority@k and pass@k of all samples. {published.sentence(known)}{sampled}. Whiskers: 95 % interval over "
        f"questions; each pretraining seed by itself. World: {view.world}."
    )
    return figure, caption, pd.DataFrame(data)


def _models(ax: Axes, y: int, models: pd.DataFrame, measured: pd.DataFrame, formats: list) -> list[dict]:
    """One point a model of one mixture, and of each format where it is shares; returns the numbers drawn."""
    drawn = []
    for j, model in enumerate(models.itertuples()):
        for form in formats:
            row = measured[measured["id"] == model.id]
            row = row if form is None else row[row["format"] == form]
            for point in row.to_dict("records"):
                look = dict(LOOKS[model.origin])
                if form is not None:
                    look = {"color": style.FORMAT_COLOURS[form], "marker": style.FORMAT_MARKERS[form]}
                    look |= {"markerfacecolor": "white"} if model.origin else {}
                style.whisker(ax, y + style.spread(j, len(models), APART), point, horizontal=True, **look)
                kept = ("id", "mixture", "scale", "model_seed", "question_set", "metric", "k", "format")
                numbers = {name: point[name] for name in (*kept, "estimate", "low", "high")}
                drawn.append(numbers | {"origin": ORIGINS[model.origin]})
    return drawn
