"""C7: whether RL goes on to select a style inside the winning format, beyond the drift of the neutral twin."""

from __future__ import annotations

import pandas as pd

from echochamber.analysis import replicates
from echochamber.analysis.studies import Condition, StudyView
from echochamber.analysis.verdicts import Finding, Part
from echochamber.analysis.within_claims import settled, winner

TWIN = "twin"


def c7(view: StudyView, rules: dict) -> list[Finding]:
    """The largest change of a variant's share inside the winner, and by how much it exceeds that of the twin.

    The variant is chosen on the mean of the replicates; changes count without their sign.
    """
    found = []
    for c in settled(view, policy_gradient=True):
        rows = view.of(c, view.styles)
        name = winner(view, c)
        rows = rows[rows["format"] == name]
        start = rows[rows["step"] == 0]
        if start.empty or start["n_samples"].min() < rules["C7"]["completions"]:
            found.append(_missing(c, f"the base model hardly wrote {name}"))
            continue
        changes = {}
        for (style, variant), part in rows.groupby(["style", "variant"], sort=False):
            if _choice(start[start["style"] == style], rules["C7"]["variants"]) and variant != "none":
                changes[(style, variant)] = _change(view, c, part).abs()
        chosen = {key: values for key, values in changes.items() if key[0] != TWIN}
        twins = {key: values for key, values in changes.items() if key[0] == TWIN}
        if not chosen or not twins:
            missing = "no style" if not chosen else "no neutral twin"
            found.append(_missing(c, f"the base model had {missing} to choose in {name}"))
            continue
        (style, variant), moved = max(chosen.items(), key=lambda item: item[1].mean())
        drift = max(twins.values(), key=lambda values: values.mean())
        what = f"share of {style} {variant} inside {name}, absolute change"
        parts = (
            Part(what, moved.to_numpy(), above=rules["C7"]["change"]),
            Part(
                f"{what} less that of the neutral twin", (moved - drift).to_numpy(), above=rules["C7"]["more_than_twin"]
            ),
        )
        found.append(Finding(c.label(), parts))
    return found


def _missing(condition: Condition, reason: str) -> Finding:
    return Finding(condition.label(), (Part(f"style inside the winner: {reason}", missing=reason),))


def _choice(start: pd.DataFrame, least: float) -> bool:
    """Whether two variants of a style have a share in the base model."""
    return bool((start.groupby("variant")["estimate"].mean() >= least).sum() >= 2)


def _change(view: StudyView, condition: Condition, rows: pd.DataFrame) -> pd.Series:
    """End minus start of a variant's share, by replicate."""
    at = {
        step: replicates.by_replicate(rows[rows["step"] == step], "estimate") for step in (0, view.last_step(condition))
    }
    return at[view.last_step(condition)] - at[0]
