"""How a format looks in the page: one colour, and a mark and a hatching for who sees no colour."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from echochamber.formats import BY_LABEL

PATHS = {
    "o": "M0-5A5 5 0 1 1 0 5A5 5 0 1 1 0-5Z",
    "s": "M-4.5-4.5H4.5V4.5H-4.5Z",
    "D": "M0-6L6 0L0 6L-6 0Z",
    "^": "M0-5.5L5.5 4.5H-5.5Z",
    "v": "M0 5.5L5.5-4.5H-5.5Z",
    "P": "M-2-5.5H2V-2H5.5V2H2V5.5H-2V2H-5.5V-2H-2Z",
    "x": "M-4.5-4.5L4.5 4.5M4.5-4.5L-4.5 4.5",
    "X": "M-4.5-4.5L4.5 4.5M4.5-4.5L-4.5 4.5",
    "+": "M-5.5 0H5.5M0-5.5V5.5",
    "*": "M0-6L1.6-1.9L6-1.9L2.4 .9L3.7 5L0 2.5L-3.7 5L-2.4 .9L-6-1.9L-1.6-1.9Z",
}
"""A marker's name as in the figures -> its outline as an SVG path around 0."""
LINES = frozenset("xX+")
"""Markers that are lines, without an inside."""
HATCHES = ("", "M-1 7L7-1", "M3 0V6", "M-1-1L7 7M-1 7L7-1", "M0 3H6")
"""Of the first format, the second, ...: strokes over a 6 x 6 tile."""


@dataclass(frozen=True)
class Look:
    """Of one format."""

    name: str
    words: str
    colour: str
    marker: str
    path: str
    open: bool
    hatch: str
    place: str
    """Where the answer stands (`formats.format.Place`); empty: it has none."""
    program: bool
    """Whether the answer is what a program gives."""


@cache
def looks() -> tuple[Look, ...]:
    """Of all formats, in their order."""
    return tuple(
        Look(
            name=name,
            words=form.words,
            colour=form.colour,
            marker=form.marker,
            path=PATHS[form.marker],
            open=form.marker in LINES,
            hatch=HATCHES[i % len(HATCHES)],
            place=form.executed if isinstance(form.executed, str) else "other" if form.executed else "",
            program=form.program is not None,
        )
        for i, (name, form) in enumerate(BY_LABEL.items())
    )


def segments(shares: dict[str, float], width: float = 150) -> list[dict[str, object]]:
    """A stacked bar: where each format's part begins and how wide it is; parts too narrow to be seen are left out."""
    parts, x = [], 0.0
    for name, share in shares.items():
        if share * width >= 0.5:
            parts.append({"format": name, "x": round(x, 1), "width": round(share * width, 1)})
        x += share * width
    return parts
