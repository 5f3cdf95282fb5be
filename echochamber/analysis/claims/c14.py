"""C14 (Section 4 of the paper): exploratory, since the paper gives no number."""

from __future__ import annotations

import numpy as np
import pandas as pd

from echochamber.analysis import replicates
from echochamber.analysis.claims.claim import Claim, Finding, Where, settled
from echochamber.analysis.claims.verdicts import Part
from echochamber.analysis.studies import StudyView

GROUPS = {
    "arithmetic": ("arithmetic",),
    "misreading": ("misread",),
    "crash": ("crash",),
    "format": ("no answer", "unfinished", "degenerate"),
}
"""What the embedded world can tell of the paper's kinds; formula, algebra and notation need a judge."""


def measure(view: StudyView, rules: dict) -> list[Finding]:
    """The share of each group among the wrong answers changes by more than the threshold, either way.

    A row a group; the direction is that of the mean over replicates.
    """
    rows = []
    for c in settled(view):
        table = view.of(c, view.errors)
        table = table[(table["question_set"] == view.own(c.prompts)) & (table["among"] == "wrong")]
        ends = table[table["step"].isin((0, view.last_step(c)))]
        if ends["step"].nunique() < 2 or ends["n_samples"].min() < rules["C14"]["completions"]:
            reason = f"fewer than {rules['C14']['completions']} wrong answers before or after RL"
            rows.append(Finding.untestable(Where.of(c), "kinds of errors", reason))
            continue
        for group, categories in GROUPS.items():
            change = _shares(ends, categories, view.last_step(c)) - _shares(ends, categories, 0)
            up = change.mean() >= 0
            what = f"share of {group} errors among wrong answers {'rises' if up else 'falls'} by"
            values = change.to_numpy(dtype=float) * (1 if up else -1)
            rows.append(Finding(Where.of(c), (Part(what, values, above=rules["C14"]["change"]),)))
    return rows


def _shares(rows: pd.DataFrame, categories: tuple[str, ...], step: int) -> pd.Series:
    """Share of the categories together at one step, by replicate."""
    step_rows = rows[(rows["step"] == step) & rows["category"].isin(categories)]
    each = replicates.of_each_run(step_rows, "estimate", "sum", parts=len(categories))
    return replicates.by_replicate(each, "estimate").astype(np.float64)


CLAIM = Claim(
    "C14",
    "The kinds of errors change between base and RL model",
    "errors",
    measure,
    "the study has no run whose own question set is measured",
)
