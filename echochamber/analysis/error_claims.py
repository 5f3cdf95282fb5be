"""C14: whether the kinds of errors change between base and RL model."""

from __future__ import annotations

import numpy as np
import pandas as pd

from echochamber.analysis import replicates
from echochamber.analysis.studies import StudyView
from echochamber.analysis.verdicts import Finding, Part
from echochamber.analysis.within_claims import settled

GROUPS = {
    "arithmetic": ("arithmetic",),
    "misreading": ("misread",),
    "crash": ("crash",),
    "format": ("no answer", "unfinished", "degenerate"),
}
"""What the embedded world can tell of the paper's kinds; formula, algebra and notation need a judge."""


def c14(view: StudyView, rules: dict) -> list[Finding]:
    """The share of some group among the wrong answers changes by more than the threshold, either way.

    The direction is that of the mean over replicates. The paper gives no number for it: the threshold is this
    project's own, set after a first look at one demo and before any run of the registered study.
    """
    found = []
    for c in settled(view):
        rows = view.of(c, view.errors)
        rows = rows[(rows["question_set"] == view.own(c.prompts)) & (rows["among"] == "wrong")]
        ends = rows[rows["step"].isin((0, view.last_step(c)))]
        if ends["step"].nunique() < 2 or ends["n_samples"].min() < rules["C14"]["completions"]:
            reason = f"fewer than {rules['C14']['completions']} wrong answers before or after RL"
            found.append(Finding(c.label(), (Part(f"kinds of errors: {reason}", missing=reason),)))
            continue
        parts = []
        for group, categories in GROUPS.items():
            change = _shares(ends, categories, view.last_step(c)) - _shares(ends, categories, 0)
            up = change.mean() >= 0
            what = f"share of {group} errors among wrong answers {'rises' if up else 'falls'} by"
            values = change.to_numpy(dtype=float) * (1 if up else -1)
            parts.append(Part(what, values, above=rules["C14"]["change"]))
        found.append(Finding(c.label(), tuple(parts), combine="any"))
    return found


def _shares(rows: pd.DataFrame, categories: tuple[str, ...], step: int) -> pd.Series:
    """Share of the categories together at one step, by replicate."""
    those = rows[(rows["step"] == step) & rows["category"].isin(categories)]
    each = those.groupby(["id", "model_seed", "run_seed"], dropna=False)["estimate"].sum().reset_index()
    return replicates.by_replicate(each, "estimate").astype(np.float64)
