"""Tables of texts as Markdown and as LaTeX (booktabs), for the figures that are tables in the paper."""

from __future__ import annotations

from importlib import import_module

import pandas as pd

TABLES = ("benchmarks",)
"""Figures whose module has a `table`: from the numbers drawn to a table of texts."""

_ESCAPED = str.maketrans({c: f"\\{c}" for c in "&%$#_{}"} | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}"})


def of_figure(kind: str, numbers: pd.DataFrame) -> pd.DataFrame:
    """The table of a figure, from the numbers that it draws (its CSV)."""
    shown: pd.DataFrame = import_module(f"echochamber.figures.{kind}").table(numbers)
    return shown.fillna("").astype(str)


def markdown(table: pd.DataFrame, caption: str) -> str:
    """A pipe table with its caption below."""
    rows = [list(table.columns), ["---"] * len(table.columns), *table.to_numpy().tolist()]
    lines = ["| " + " | ".join(str(cell).replace("|", r"\|") for cell in row) + " |" for row in rows]
    return "\n".join([*lines, "", caption, ""])


def latex(table: pd.DataFrame, caption: str) -> str:
    """A `table` environment; needs the package booktabs."""
    rows = [" & ".join(_escape(cell) for cell in row) + r" \\" for row in [list(table.columns), *table.to_numpy()]]
    begin = [r"\begin{table}", r"\centering", rf"\begin{{tabular}}{{{'l' * len(table.columns)}}}", r"\toprule"]
    end = [r"\bottomrule", r"\end{tabular}", rf"\caption{{{_escape(caption)}}}", r"\end{table}", ""]
    return "\n".join([*begin, rows[0], r"\midrule", *rows[1:], *end])


def _escape(text: object) -> str:
    return str(text).replace("\\", r"\textbackslash ").translate(_ESCAPED)
