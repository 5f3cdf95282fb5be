"""T1: whether KL-regularised RL ends with the shares that the theory predicts from the base model."""

from __future__ import annotations

import numpy as np
import pandas as pd

from echochamber.analysis import replicates
from echochamber.analysis.studies import StudyView
from echochamber.analysis.verdicts import Finding, Part


def t1(view: StudyView, rules: dict) -> list[Finding]:
    """Root mean square error over formats of the predicted final shares on the RL prompts, run by run.

    The prediction is corrected for the number of samples. Whether a run has come to rest is for its curves, and for
    `movement` in the theory table, to show.
    """
    found = []
    for c in view.conditions:
        rows = view.of(c, view.theory)
        rows = rows[rows["measure"] == "error"]
        if rows.empty:
            continue
        what = f"error of predicted shares (root mean square), KL coefficient {float(rows['beta'].iloc[0]):g}"
        reason = _reason(rows.iloc[0], rules)
        if reason:
            found.append(Finding(c.label(), (Part(f"{what}: {reason}", missing=reason),)))
            continue
        values = replicates.by_replicate(rows, "estimate")
        found.append(Finding(c.label(), (Part(what, np.asarray(values, dtype=float), below=rules["T1"]["rmse"]),)))
    return found


def _reason(row: pd.Series, rules: dict) -> str | None:
    """Why a condition cannot test the theory; None: it can."""
    if row["law"] != "tilt":
        return "needs the KL in the reward, or k2 in the loss"
    if not row["strict"]:
        return f"the law does not apply strictly ({row['reason']})"
    if not any(np.isclose(row["beta"], b) for b in rules["T1"]["coefficients"]):
        return f"needs a coefficient of {', '.join(f'{b:g}' for b in rules['T1']['coefficients'])}"
    return None
