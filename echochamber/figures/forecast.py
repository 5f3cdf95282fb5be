"""Winners foretold from base models alone, each by what was learned from others, and the hits of every forecaster."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from echochamber.analysis.claims.claim import Where
from echochamber.analysis.claims.duels import by_cell, contests
from echochamber.analysis.forecasters import Foretold, leave_one_cell_out
from echochamber.analysis.studies import StudyView
from echochamber.figures import captions, style
from echochamber.formats import FORMATS
from echochamber.stats.intervals import clopper_pearson, clustered_trials, t_interval

SHOWN = "calibrated"
"""The forecaster whose probabilities are drawn model by model."""


def draw(view: StudyView) -> tuple[Figure, str, pd.DataFrame]:
    """Figure, caption, and the numbers drawn: a row of three axes for each scale, algorithm and prompts."""
    groups = [(where, leave_one_cell_out(fights)) for where, fights in contests(view)]
    if not groups:
        raise ValueError(
            f"studies.{view.name}.figures: found forecast, allowed where two mixtures contest the same two formats"
        )
    height = max(2.4, 0.24 * max(len({f.duel.cell for f in foretold}) for _, foretold in groups) + 0.8)
    figure, panels = style.panels(3 * len(groups), columns=3, width=3.9, height=height)
    data, winners = [], set()
    for number, (where, foretold) in enumerate(groups):
        models, hits, losses = (ax for (ax,) in panels[3 * number : 3 * number + 3])
        _models(models, [f for f in foretold if f.forecaster == SHOWN])
        _bars(hits, losses, foretold)
        for ax in (models, hits, losses):
            style.title(ax, f"{where.scale} · {where.algorithm} · {where.prompts}", view.world)
        winners |= {f.duel.winner for f in foretold}
        data += [_row(where, f) for f in foretold]
    style.legend(figure, style.format_handles([f for f in FORMATS if f in winners]))
    first, second = groups[0][1][0].duel.formats
    caption = (
        f"Left: the probability that {first} wins, not {second}, foretold for each base model by the calibrated "
        "forecast from the models of all other mixtures; the colour is that of the format that RL ended with. Middle: "
        "how often each forecaster names the winner of a mixture that it has not seen, with the 95 % interval "
        "over mixtures. Right: its mean logarithmic loss (ln 2 is that of a coin), 95 % interval over mixtures; what "
        "makes a probability of a forecaster is fitted to the other mixtures. "
        + captions.tail(view, [own for c in view.conditions if (own := view.own(c.prompts))])
    )
    return figure, caption, pd.DataFrame(data)


def _row(where: Where, foretold: Foretold) -> dict:
    duel = foretold.duel
    return {
        "scale": where.scale,
        "algorithm": where.algorithm,
        "prompts": where.prompts,
        "forecaster": foretold.forecaster,
        "mixture": duel.cell,
        "seed": duel.seed,
        "first": duel.formats[0],
        "second": duel.formats[1],
        "probability_of_first": foretold.probability,
        "foretold": foretold.winner,
        "winner": duel.winner,
        "hit": int(foretold.hit),
        "log_loss": foretold.loss,
    }


def _models(ax: Axes, foretold: Sequence[Foretold]) -> None:
    cells = list(dict.fromkeys(f.duel.cell for f in foretold))
    for y, cell in enumerate(cells):
        own = [f for f in foretold if f.duel.cell == cell]
        for i, f in enumerate(own):
            colour, marker = style.FORMAT_COLOURS[f.duel.winner], style.FORMAT_MARKERS[f.duel.winner]
            ax.plot(f.probability, y + style.spread(i, len(own)), marker, color=colour, markersize=4, clip_on=False)
    ax.axvline(0.5, zorder=0, color="#888888", linewidth=0.8)
    ax.set_yticks(range(len(cells)), cells)
    ax.set_ylim(len(cells) - 0.5, -0.5)
    ax.set_xlim(-0.03, 1.03)
    ax.set_xlabel(f"foretold probability that {foretold[0].duel.formats[0]} wins")


def _bars(hits: Axes, losses: Axes, foretold: Sequence[Foretold]) -> None:
    names = list(dict.fromkeys(f.forecaster for f in foretold))
    look = {"color": "#444444", "marker": "o", "markersize": 4}
    for y, name in enumerate(names):
        own = [f for f in foretold if f.forecaster == name]
        duels = [f.duel for f in own]
        hit = clopper_pearson(*clustered_trials(by_cell(duels, np.array([f.hit for f in own])), len(own)))
        style.whisker(hits, y, hit._asdict(), horizontal=True, **look)
        loss = t_interval(by_cell(duels, np.array([f.loss for f in own])))
        style.whisker(losses, y, loss._asdict(), horizontal=True, **look)
    for ax, label in ((hits, "share of winners foretold"), (losses, "logarithmic loss (nats)")):
        ax.set_yticks(range(len(names)), names)
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.set_xlabel(label)
    hits.set_xlim(-0.03, 1.03)
    losses.axvline(np.log(2), zorder=0, color="#888888", linewidth=0.8, linestyle=":")
    losses.set_xlim(left=0)
