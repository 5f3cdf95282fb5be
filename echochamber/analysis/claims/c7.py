"""C7 (Fig. 6 of the paper)."""

from __future__ import annotations

import pandas as pd

from echochamber.analysis import replicates
from echochamber.analysis.claims.claim import Claim, Finding, Where, settled, winner
from echochamber.analysis.claims.verdicts import Part
from echochamber.analysis.studies import Condition, StudyView

TWIN = "twin"


def measure(view: StudyView, rules: dict) -> list[Finding]:
    """The largest change of a variant's share inside the winner, and by how much it exceeds that of the neutral twin.

    The variant is chosen on the mean of the replicates; changes count without their sign, the twin's too, which is
    what drift alone would do.
    """
    limits = rules["C7"]
    rows = []
    for c in settled(view, policy_gradient=True):
        name = winner(view, c)
        table = view.of(c, view.styles)
        table = table[table["format"] == name]
        before = table[table["step"] == 0]
        where, what = Where.of(c), "style inside the winner"
        if before.empty or before["n_samples"].min() < limits["completions"]:
            rows.append(Finding.untestable(where, what, f"the base model hardly wrote {name}"))
            continue
        changes = {
            (style, variant): _change(view, c, part).abs()
            for (style, variant), part in table.groupby(["style", "variant"], sort=False)
            if _choice(before[before["style"] == style], limits["variants"]) and variant != "none"
        }
        chosen = {key: values for key, values in changes.items() if key[0] != TWIN}
        twins = [values for key, values in changes.items() if key[0] == TWIN]
        if not chosen or not twins:
            kind = "no style" if not chosen else "no neutral twin"
            rows.append(Finding.untestable(where, what, f"the base model had {kind} to choose in {name}"))
            continue
        (style, variant), moved = max(chosen.items(), key=lambda item: item[1].mean())
        drift = max(twins, key=lambda values: values.mean())
        what = f"share of {style} {variant} inside {name}, absolute change"
        beyond = (moved - drift).to_numpy()
        parts = (
            Part(what, moved.to_numpy(), above=limits["change"]),
            Part(f"{what} less that of the neutral twin", beyond, above=limits["more_than_twin"]),
        )
        rows.append(Finding(where, parts))
    return rows


def _choice(before: pd.DataFrame, least: float) -> bool:
    """Whether two variants of a style have a share in the base model."""
    return bool((before.groupby("variant")["estimate"].mean() >= least).sum() >= 2)


def _change(view: StudyView, condition: Condition, rows: pd.DataFrame) -> pd.Series:
    """End minus start of a variant's share, by replicate."""
    at = {s: replicates.by_replicate(rows[rows["step"] == s], "estimate") for s in (0, view.last_step(condition))}
    return at[view.last_step(condition)] - at[0]


CLAIM = Claim(
    "C7",
    "Inside the winning format RL goes on to select a style, beyond the drift of a neutral twin",
    "formats",
    measure,
    "the study measures no styles",
)
