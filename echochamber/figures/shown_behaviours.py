"""What figures of behaviours draw: the labels of a behaviour that matter, or its marks, each with one look."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from echochamber.analysis.studies import Condition, StudyView
from echochamber.behaviours.partition import YES
from echochamber.figures.palette import FORMAT_COLOURS, FORMAT_MARKERS, MARKERS, SERIES

SHOWN = 0.02
"""A label that never reaches this share in any panel is left out, and so is a mark."""
MOST = 8
"""Labels of one behaviour that are told apart, the most frequent ones."""


@dataclass(frozen=True)
class Shown:
    """A label, or a mark whose `yes` is shown."""

    name: str
    mark: bool
    look: dict

    def of(self, table: pd.DataFrame) -> pd.DataFrame:
        """Its rows among those of its behaviour."""
        if self.mark:
            return table[(table["mark"] == self.name) & (table["label"] == YES)]
        return table[table["label"] == self.name]


def shown(view: StudyView, behaviour: str) -> list[Shown]:
    """The labels or marks of a behaviour that are drawn, in the order of the grid file."""
    table = view.behaviours["behaviour_shares"]
    shares = table[(table["behaviour"] == behaviour) & (table["metric"] == "share")]
    marked = bool(shares["mark"].notna().any())
    shares = shares[shares["label"] == YES] if marked else shares
    largest = shares.groupby("mark" if marked else "label", sort=False)["estimate"].max()
    kept = largest[largest >= SHOWN].nlargest(MOST).index
    names = [name for name in largest.index if name in kept]
    formats = not marked and set(names) <= set(FORMAT_COLOURS)
    return [Shown(name, marked, _look(name, i, formats)) for i, name in enumerate(names)]


def _look(name: str, i: int, formats: bool) -> dict:
    if formats:
        return {"color": FORMAT_COLOURS[name], "marker": FORMAT_MARKERS[name]}
    return {"color": SERIES[i % len(SERIES)], "marker": MARKERS[i % len(MARKERS)]}


def of_panel(
    table: pd.DataFrame, view: StudyView, condition: Condition, behaviour: str, benchmark: str
) -> pd.DataFrame:
    """The rows of one behaviour in one condition on one question set."""
    rows = view.of(condition, table)
    return rows[(rows["behaviour"] == behaviour) & (rows["question_set"] == benchmark)]


def asked(view: StudyView, kind: str) -> list[tuple[Condition, str, list[Shown]]]:
    """Condition, behaviour and what of it is drawn, a panel each.

    Raises ValueError, in one line, if nothing is.
    """
    drawn = {name: shown(view, name) for name in view.file.behaviours}
    panels = [(c, name, some) for c in view.conditions if view.own(c.prompts) for name, some in drawn.items() if some]
    if not panels:
        allowed = f"allowed where a label or a mark has {SHOWN:.0%} of the completions"
        raise ValueError(f"studies.{view.name}.figures: found {kind}, {allowed}")
    return panels
