"""Shares of formats on the RL prompts during RL, measured and foretold by two mean fields, one panel a condition."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from echochamber.analysis.studies import Condition, StudyView, seeds_in_words
from echochamber.figures import style
from echochamber.formats import FORMATS

SCOPES = {"pooled": "questions pooled", "question": "question by question"}
DASHES = {"natural": "-", "softmax": (0, (3, 1.5))}
SHOWN = 0.02
"""A format that never reaches this share is left out."""


def draw(view: StudyView) -> tuple[Figure, str, pd.DataFrame]:
    """Figure, caption, and the numbers drawn."""
    table = view.dynamics
    conditions = [c for c in view.conditions if len(view.of(c, table))]
    if not conditions:
        allowed = "allowed where the study has policy gradient with reward correct"
        raise ValueError(f"studies.{view.name}.figures: found dynamics, {allowed}")
    measured = table[table["measure"] == "measured"]
    formats = [f for f in FORMATS if measured.loc[measured["format"] == f, "estimate"].max() >= SHOWN]
    figure, panels = style.panels(len(conditions), rows_each=2)
    data = []
    for condition, axes in zip(conditions, panels, strict=True):
        means = _means(view, condition)
        fitted = view.of(condition, table)["fitted"].fillna(False).astype(bool).any()
        for ax, (scope, words) in zip(axes, SCOPES.items(), strict=True):
            for name in formats:
                format_rows = means[means["format"] == name].set_index("measure")
                if format_rows.empty:  # neither this base model nor its runs write it
                    continue
                colour = style.FORMAT_COLOURS[name]
                dots = format_rows.loc[["measured"]]
                ax.plot(dots["completions_sampled"], dots["estimate"], style.FORMAT_MARKERS[name], color=colour)
                format_rows = format_rows[format_rows["scope"] == scope]
                for kind, dashes in DASHES.items():
                    line = format_rows[format_rows["field"] == kind].loc[["predicted"]]
                    ax.plot(line["completions_sampled"], line["estimate"], linestyle=dashes, color=colour)
                drift = format_rows[(format_rows["field"] == "natural") & (format_rows.index == "drift")]
                ax.fill_between(
                    drift["completions_sampled"],
                    drift["low"].astype(float),
                    drift["high"].astype(float),
                    color=colour,
                    alpha=0.15,
                    linewidth=0,
                )
            style.share_axis(ax, f"share, {words}")
            style.completions_axis(ax, means["completions_sampled"], label=style.lowest(axes, ax))
        title = f"{condition.label()} (fitted here)" if fitted else condition.label()
        style.titles(axes, title, view.world)
        data.append(means.assign(**vars(condition)))
    fields = [
        Line2D([], [], color="#444444", linestyle=dashes, label=f"{kind} gradient") for kind, dashes in DASHES.items()
    ]
    style.legend(figure, [*style.format_handles(formats), *fields])
    words = seeds_in_words(view)
    caption = (
        "Shares of the formats in the rollouts (points) and as mean fields of natural gradient (solid) and of softmax "
        "gradient (dashed) foretell them from samples of the base model on the RL prompts, not on held-out questions. "
        "One time constant for each line and learning rate, fitted on the first run of the study that has it. "
        "Questions pooled: all as one, with the middle 95 % of simulated runs under natural gradient with finite "
        "batches as a band; question by question: each by itself, then averaged. "
        f"{words[0].upper()}{words[1:]}, drawn as their mean. World: {view.world}."
    )
    return figure, caption, pd.concat(data, ignore_index=True)


def _means(view: StudyView, condition: Condition) -> pd.DataFrame:
    """Mean over the runs of a condition; a batch is drawn at what was sampled before it."""
    rows = view.of(condition, view.dynamics)
    settings = view.algorithm(condition)
    batch = settings.prompts_per_batch * settings.samples_per_prompt
    by = ["measure", "field", "scope", "format", "step"]
    means = rows.groupby(by, dropna=False, sort=False)[["completions_sampled", "estimate", "low", "high"]].mean()
    counts = rows.groupby(by, dropna=False, sort=False)["id"].nunique().rename("n_seeds")
    means = means.join(counts).reset_index()
    return means.assign(completions_sampled=means["completions_sampled"] - batch)
