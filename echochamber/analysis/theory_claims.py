"""T1: whether KL-regularised RL ends with the shares that the theory predicts from the base model."""

from __future__ import annotations

import numpy as np
import pandas as pd

from echochamber.analysis import replicates
from echochamber.analysis.studies import StudyView
from echochamber.analysis.verdicts import Finding, Part


def t1(view: StudyView, rules: dict) -> list[Finding]:
    """Root mean square error over formats of the predicted final shares on the RL prompts, run by run.

    The prediction is corrected for the number of samples. It is of an optimum, so a condition with a run that is
    certainly not at one is not in the grid: one that ends with a mean reward minus KL penalty below the base model's.
    The objective knows nothing of predicted shares. One run is enough to drop its condition: keeping those that came
    to rest would select among replicates. Whether shares still move is for `movement` in the theory table to show.
    """
    found = []
    for c in view.conditions:
        every = view.of(c, view.theory)
        rows = every[every["measure"] == "error"]
        if rows.empty:
            continue
        what = f"error of predicted shares (root mean square), KL coefficient {float(rows['beta'].iloc[0]):g}"
        reason = _reason(rows.iloc[0], rules) or _not_at_rest(every)
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


def _not_at_rest(rows: pd.DataFrame) -> str | None:
    """Why the runs of a condition cannot all be at the optimum; None: nothing speaks against it.

    An objective that is missing or not a number counts as one below.
    """
    by = {name: part.set_index("id")["estimate"] for name, part in rows.groupby("measure", sort=False)}
    none = pd.Series(dtype=float)
    end, base = (by.get(name, none).reindex(by["error"].index) for name in ("objective", "base_objective"))
    below = ~(end >= base)
    if not below.any():
        return None
    return f"not at rest: the objective is below the base model's in {below.sum()} of {len(below)} runs"
