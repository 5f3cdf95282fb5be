"""Colours, markers and dashes: of a format everywhere the same, safe for the colour-blind. Imports no matplotlib."""

from echochamber.formats import BY_LABEL

FORMAT_COLOURS = {name: form.colour for name, form in BY_LABEL.items()}
FORMAT_MARKERS = {name: form.marker for name, form in BY_LABEL.items()}
SERIES = ("#332288", "#D55E00", "#44AA99", "#882255", "#999933", "#CC6677", "#000000", "#88CCEE")
MARKERS = "osD^vPX*"
DASHES: tuple = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)), (0, (3, 1, 1, 1)))
PAPER = "#B00020"
"""Published values, always diamonds of this colour."""
PUBLISHED = {
    "color": PAPER,
    "marker": "D",
    "markerfacecolor": "none",
    "linestyle": "none",
    "markersize": 4.5,
    "zorder": 5,
}
