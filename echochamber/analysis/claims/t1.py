"""T1 (Section 3.6 of the paper)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from echochamber.analysis import replicates
from echochamber.analysis.claims.claim import Claim, Finding, Where
from echochamber.analysis.claims.verdicts import Part
from echochamber.analysis.studies import StudyView

NULLS = {
    "error_base": "the base model's shares",
    "error_limit": "shares in proportion to share times accuracy",
    "error_neighbour": "the prediction of the neighbouring coefficient",
}
"""Measures of the table `theory`: the error of what the theory must beat."""


def measure(view: StudyView, rules: dict) -> list[Finding]:
    """Root mean square error over formats of predicted final shares on the RL prompts: small, and below every null's.

    The prediction is corrected for the number of samples. It is of an optimum, so a condition with a run that is
    certainly not at one is not in the grid: one that ends with a mean reward minus KL penalty below the base model's.
    The objective knows nothing of predicted shares. One run is enough to drop its condition: keeping those that came
    to rest would select among replicates.
    """
    limits = rules["T1"]
    rows = []
    for c in view.conditions:
        every = view.of(c, view.theory)
        errors = every[every["measure"] == "error"]
        if errors.empty:
            continue
        what = f"error of predicted shares (root mean square), KL coefficient {float(errors['beta'].iloc[0]):g}"
        reason = _reason(errors.iloc[0], rules) or _not_at_rest(every)
        if reason:
            rows.append(Finding.untestable(Where.of(c), what, reason))
            continue
        own = replicates.by_replicate(errors, "estimate").to_numpy(dtype=float)
        parts = [Part(what, own, below=limits["rmse"])]
        for name, null in NULLS.items():
            of_null = every[every["measure"] == name]
            if of_null.empty:
                parts.append(Part(f"error of {null}", missing=f"no {name} in the table of theory"))
                continue
            more = replicates.by_replicate(of_null, "estimate").to_numpy(dtype=float) - own
            parts.append(Part(f"error of {null} less that of the theory", more, above=limits["better_than"]))
        rows.append(Finding(Where.of(c), tuple(parts)))
    return rows


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


CLAIM = Claim(
    "T1",
    "KL-regularised RL re-weights formats as the theory predicts from the base model",
    "kl",
    measure,
    "the study has no run whose own question set is measured",
)
