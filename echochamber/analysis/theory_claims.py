"""T1: whether KL-regularised RL ends with the shares that the theory predicts from the base model."""

from __future__ import annotations

import numpy as np

from echochamber.analysis import replicates
from echochamber.analysis.studies import Condition, StudyView
from echochamber.analysis.verdicts import Finding, Part


def t1(view: StudyView, rules: dict) -> list[Finding]:
    """Root mean square error over formats of the predicted final shares, run by run.

    The prediction is corrected for the number of samples. Whether a run has come to rest is for its curves to show.
    """
    found = []
    for c in view.conditions:
        rows = view.of(c, view.theory)
        if rows.empty:
            continue
        beta = float(rows["beta"].iloc[0])
        what = f"error of predicted shares (root mean square), KL coefficient {beta:g}"
        reason = _reason(view, c, rules)
        if reason:
            found.append(Finding(c.label(), (Part(f"{what}: {reason}", missing=reason),)))
            continue
        rows = rows[rows["base"] >= rules["T1"]["share"]]
        error = (rows["predicted"] + rows["bias"] - rows["measured"]).astype(float) ** 2
        each = rows.assign(error=error).groupby(["id", "model_seed", "run_seed"], dropna=False)["error"].mean() ** 0.5
        values = replicates.by_replicate(each.reset_index(), "error")
        found.append(Finding(c.label(), (Part(what, np.asarray(values, dtype=float), below=rules["T1"]["rmse"]),)))
    return found


def _reason(view: StudyView, condition: Condition, rules: dict) -> str | None:
    """Why this condition cannot test the theory; None: it can."""
    row = view.of(condition, view.theory).iloc[0]
    if row["law"] != "tilt":
        return "needs the KL in the reward, or k2 in the loss"
    if not row["sequence_level"]:
        return "needs the KL of whole completions (level: sequence)"
    if not any(np.isclose(row["beta"], b) for b in rules["T1"]["coefficients"]):
        return f"needs a coefficient of {', '.join(f'{b:g}' for b in rules['T1']['coefficients'])}"
    if not row["matched"]:
        return "needs a benchmark that decodes as RL samples (temperature, top_p)"
    return None
