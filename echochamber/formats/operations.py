"""The operations of a question's gold graph."""

SYMBOLS = {
    "more": "+",
    "fewer": "-",
    "times": "*",
    "fraction": "/",
    "buy": "+",
    "give": "-",
    "share": "/",
    "total": "+",
}
"""The arithmetic of each operation."""
