"""Figures: each a function of tables alone. `draw` makes one, `save` writes it with its caption and its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from echochamber.jobs.files import write_aside, write_csv, write_text
from echochamber.settings import OF_BEHAVIOURS
from echochamber.settings.possible import WITHOUT_RUNS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from echochamber.grid.expansion import Grid

DOTS_PER_INCH = 160
"""Of the PNG files."""


def draw(grid: Grid, study: str, kind: str, tables: Mapping[str, pd.DataFrame]) -> tuple[Figure, str, pd.DataFrame]:
    """One figure of one study: (figure, caption, the numbers drawn).

    kind: one of `echochamber.settings.FIGURES`, each a module of this package. tables: as `analysis.tables.tables.read`
    gives them. Raises ValueError, in one line, if the study has nothing that such a figure shows.
    """
    import matplotlib  # here: the report page shows figures and draws none

    from echochamber.analysis.studies import StudyView
    from echochamber.figures import style

    view = StudyView(grid, study, tables)
    if view.runs.empty and kind not in WITHOUT_RUNS:
        raise ValueError(f"studies.{study}.figures: found {kind}, which shows RL runs, and the study has none")
    if kind in OF_BEHAVIOURS and not view.behaviours:
        allowed = "allowed once the labels of its completions are there (`snakemake behaviours`)"
        raise ValueError(f"studies.{study}.figures: found {kind}, {allowed}")
    with matplotlib.rc_context(style.RC):
        return import_module(f"echochamber.figures.{kind}").draw(view)


def save(figure: Figure, caption: str, data: pd.DataFrame, stem: Path) -> None:
    """Write stem.pdf, stem.png, stem.csv and stem.caption.txt, without a date in them."""
    import matplotlib

    from echochamber.figures import style

    with matplotlib.rc_context(style.RC):
        for kind, metadata in ((".pdf", {"CreationDate": None}), (".png", {"Software": None})):
            path = stem.with_name(stem.name + kind)
            write_aside(path, lambda aside, metadata=metadata: figure.savefig(aside, metadata=metadata))
    write_csv(stem.with_name(stem.name + ".csv"), data)
    write_text(stem.with_name(stem.name + ".caption.txt"), caption + "\n")
