"""C7 (Fig. 6 of the paper)."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from echochamber.analysis import replicates
from echochamber.analysis.claims.claim import Claim, Finding, Where, settled, winner
from echochamber.analysis.claims.verdicts import Part
from echochamber.analysis.studies import Condition, StudyView

TWIN = "twin"


def measure(view: StudyView, rules: dict) -> list[Finding]:
    """The change of a style's share inside the winner, and by how much it exceeds that of the neutral twin.

    Of several styles it is the one that base models vary most evenly, so that what RL did has no say in which is
    tested. Changes count without their sign, the twin's too, which is what drift alone would do.
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
        common = {style: _most_common(part, limits["variants"]) for style, part in before.groupby("style", sort=False)}
        choices = {style: found for style, found in common.items() if found}
        twin = choices.pop(TWIN, None)
        if not choices or not twin:
            kind = "no style" if not choices else "no neutral twin"
            rows.append(Finding.untestable(where, what, f"the base model had {kind} to choose in {name}"))
            continue
        style = min(choices, key=lambda each: choices[each].share)
        variant = choices[style].variant
        moved = _change(view, c, table, style, variant)
        drift = _change(view, c, table, TWIN, twin.variant)
        what = f"share of {style} {variant} inside {name}, absolute change"
        beyond = (moved - drift).to_numpy()
        parts = (
            Part(what, moved.to_numpy(), above=limits["change"]),
            Part(f"{what} less that of the neutral twin", beyond, above=limits["more_than_twin"]),
        )
        rows.append(Finding(where, parts))
    return rows


class _Common(NamedTuple):
    """The variant of a style that base models write most."""

    share: float
    variant: str


def _most_common(before: pd.DataFrame, least: float) -> _Common | None:
    """Of one style, over all base models; None if it is no choice there: not two variants have a share of `least`."""
    shares = before[before["variant"] != "none"].groupby("variant")["estimate"].mean()
    if (shares >= least).sum() < 2:
        return None
    return _Common(float(shares.max()), str(shares.idxmax()))


def _change(view: StudyView, condition: Condition, rows: pd.DataFrame, style: str, variant: str) -> pd.Series:
    """End minus start of a variant's share, without its sign, by replicate."""
    rows, last = rows[(rows["style"] == style) & (rows["variant"] == variant)], view.last_step(condition)
    start, end = (replicates.by_replicate(rows[rows["step"] == step], "estimate") for step in (0, last))
    return (end - start).abs()


CLAIM = Claim(
    "C7",
    "Inside the winning format RL goes on to select a style, beyond the drift of a neutral twin",
    "formats",
    measure,
    "the study measures no styles",
)
