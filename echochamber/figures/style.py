"""One look for all figures: colours, panels, axes, bands.

A format has one colour and one marker in every figure (Okabe and Ito's palette, safe for colour-blind readers). What
else is compared (algorithms, mixtures, measures) uses other colours, and always a marker or a line style besides.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

from echochamber.figures import DOTS_PER_INCH
from echochamber.figures.palette import DASHES, FORMAT_COLOURS, FORMAT_MARKERS, MARKERS, PUBLISHED, SERIES

WIDTH = 3.1
"""Inches of one panel."""

RC = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "lines.linewidth": 1.4,
    "lines.markersize": 3.6,
    "pdf.fonttype": 42,
    "savefig.dpi": DOTS_PER_INCH,
    "svg.hashsalt": "echochamber",
}


def panels(
    count: int, *, rows_each: int = 1, columns: int = 4, width: float = WIDTH, height: float = 2.1
) -> tuple[Figure, list[list[Axes]]]:
    """A figure with `count` panels, `rows_each` axes in each, filled row by row.

    Axes of a panel stand one below the other; in a figure of one or two panels they stand side by side.
    Returns (figure, one inner list of Axes a panel).
    """
    if count <= 2 and rows_each > 1:
        figure, flat = panels(count * rows_each, columns=rows_each, width=width, height=height + 0.3)
        axes = [ax for (ax,) in flat]
        return figure, [axes[i * rows_each : (i + 1) * rows_each] for i in range(count)]
    columns = min(
        range(max(1, min(columns - 1, count)), max(1, min(columns, count)) + 1), key=lambda c: (-count % c, -c)
    )
    blocks = -(-count // columns)
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(width * columns + 0.4, height * rows_each * blocks + 0.7), layout="constrained")
        axes = figure.subplots(blocks * rows_each, columns, squeeze=False)
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.05, wspace=0.02, hspace=0.03)
    figure_panels = []
    for i in range(blocks * columns):
        block, column = divmod(i, columns)
        panel = [axes[block * rows_each + row, column] for row in range(rows_each)]
        if i < count:
            figure_panels.append(panel)
        else:
            for ax in panel:
                ax.remove()
    return figure, figure_panels


def titles(axes: Sequence[Axes], text: str, world: str) -> None:
    """The title of a panel over its topmost axes, or over each where they stand side by side."""
    side_by_side = len(axes) > 1 and axes[0].get_subplotspec().rowspan == axes[-1].get_subplotspec().rowspan
    for ax in axes if side_by_side else axes[:1]:
        title(ax, text, world)


def title(ax: Axes, text: str, world: str) -> None:
    """What a panel shows in bold, with the world it is from in grey below."""
    small = textwrap.fill(world, 56)
    head = textwrap.fill(text, 42)
    ax.set_title(head, loc="left", fontweight="bold", pad=5 + 8.5 * (1 + small.count("\n")))
    ax.annotate(
        small, (0, 1), (0, 3), xycoords="axes fraction", textcoords="offset points", fontsize=6.5, color="#666666"
    )


def band(ax: Axes, x: Sequence, line: pd.DataFrame, **style) -> Line2D:
    """A line of estimates with its interval as a band; the band is left out where the ends are missing."""
    (drawn,) = ax.plot(x, line["estimate"], **style)
    low, high = line["low"].astype(float), line["high"].astype(float)
    ax.fill_between(x, low, high, color=drawn.get_color(), alpha=0.15, linewidth=0)
    return drawn


def whisker(ax: Axes, x: float, row: pd.Series | dict, *, horizontal: bool = False, **style) -> None:
    """A point with its interval."""
    estimate, low, high = float(row["estimate"]), float(row["low"]), float(row["high"])
    ends = np.array([[estimate - low], [high - estimate]])
    ends = None if np.isnan(ends).any() else np.maximum(ends, 0)
    coordinates = {"x": estimate, "y": x, "xerr": ends} if horizontal else {"x": x, "y": estimate, "yerr": ends}
    ax.errorbar(**coordinates, **({"capsize": 2, "linestyle": "none", "elinewidth": 1.0} | style))


def share_axis(ax: Axes, label: str) -> None:
    """A vertical axis from 0 to 1."""
    ax.set_ylim(-0.03, 1.03)
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1.0])
    ax.set_ylabel(label)


def completions_axis(ax: Axes, x: Iterable[float], *, label: bool = True) -> None:
    """Completions sampled: 0, then logarithmic from the first checkpoint on."""
    values = np.unique([v for v in x if np.isfinite(v)])
    positive = values[values > 0]
    if positive.size:
        first, last = positive.min(), positive.max()
        ax.set_xscale("symlog", linthresh=first, linscale=0.6)
        ax.set_xlim(-0.12 * first, last * 1.25)
        inner = [10.0**e for e in range(1, 13) if first < 10.0**e < last]
        ticks = _apart(ax, [0.0, last, first, *reversed(inner)])
        ax.set_xticks(ticks, [thousands(t) for t in ticks])
        ax.xaxis.set_minor_locator(NullLocator())
    if label:
        ax.set_xlabel("completions sampled in RL")


APART = 0.15
"""Share of a panel's width that two ticks' labels (of up to five characters) need from middle to middle."""


def _apart(ax: Axes, wanted: Sequence[float]) -> list[float]:
    """The ticks that have room beside those before them in the list, in order."""
    at = ax.transScale.transform([(value, 0.0) for value in wanted])[:, 0]
    low, high = ax.transScale.transform([(end, 0.0) for end in ax.get_xlim()])[:, 0]
    kept: list[int] = []
    for i, place in enumerate(at):
        if all(abs(place - at[j]) > APART * (high - low) for j in kept):
            kept.append(i)
    return sorted(wanted[i] for i in kept)


FIRST_PASS = {"color": "#777777", "linestyle": ":", "linewidth": 1.0}


def first_pass(ax: Axes, completions: float | None) -> None:
    """Mark the end of the first pass over the prompts, where there is one (`StudyView.first_pass`)."""
    if completions is not None:
        ax.axvline(completions, zorder=0, **FIRST_PASS)


def first_pass_handle() -> Line2D:
    """Its legend entry."""
    return Line2D([], [], label="end of the first pass", **FIRST_PASS)


def names_inside(ax: Axes, handles: Sequence[Line2D]) -> None:
    """A small legend within a panel, where lines of one figure mean different things in different panels."""
    ax.legend(handles=list(handles), fontsize=6, loc="best", ncols=2, frameon=True, framealpha=0.7, edgecolor="none")


def thousands(value: float, _: object = None) -> str:
    """1500 -> 1.5k."""
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def spread(i: int, count: int, step: float = 0.09) -> float:
    """How far to move the i-th of several points that would lie on each other."""
    return step * (i - (count - 1) / 2)


def lowest(axes: Sequence[Axes], ax: Axes) -> bool:
    """Whether the horizontal axis of `ax` is the one to label: no other axes of its panel below."""
    return ax is axes[-1] or axes[0].get_subplotspec().rowspan == axes[-1].get_subplotspec().rowspan


def log_axis(ax: Axes, values: Sequence[float], names: Sequence[str], label: str) -> None:
    """A logarithmic horizontal axis with a tick and a name at each value."""
    ax.set_xscale("log")
    ax.set_xticks(list(values), [f"{thousands(v)}\n{name}" for v, name in zip(values, names, strict=True)])
    ax.xaxis.set_minor_locator(NullLocator())
    low, high = min(values), max(values)
    pad = (high / low) ** 0.1 if high > low else 1.5
    ax.set_xlim(low / pad, high * pad)
    ax.set_xlabel(label)


def signed_axis(axis, decimals: int = 2) -> None:
    """Ticks with their sign: +0.10, 0, -0.10."""
    axis.set_major_formatter(FuncFormatter(lambda v, _: "0" if abs(v) < 1e-9 else f"{v:+.{decimals}f}"))


def format_handles(formats: Iterable[str]) -> list[Line2D]:
    """Legend entries of formats."""
    return [Line2D([], [], color=FORMAT_COLOURS[f], marker=FORMAT_MARKERS[f], markersize=4, label=f) for f in formats]


def series_style(i: int) -> dict:
    """Colour, marker and dashes of the i-th of several things compared."""
    return {"color": SERIES[i % 8], "marker": MARKERS[i % 8], "linestyle": DASHES[i % 8]}


def legend(figure: Figure, handles: Sequence) -> None:
    """One legend for all panels, above them."""
    if handles:
        inches = sum(0.062 * len(handle.get_label()) + 0.55 for handle in handles)
        rows = int(np.ceil(inches / (0.97 * figure.get_figwidth())))
        figure.legend(handles=list(handles), loc="outside upper center", ncols=-(-len(handles) // rows))


def paper_handle(label: str = "published") -> Line2D:
    """Legend entry of published values."""
    return Line2D([], [], label=label, **PUBLISHED)
