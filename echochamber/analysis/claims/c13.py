"""C13 (Table 7 of the paper)."""

from __future__ import annotations

from echochamber.analysis.claims.claim import Claim, Finding, Where, ends, own, settled
from echochamber.analysis.claims.verdicts import Part
from echochamber.analysis.studies import StudyView
from echochamber.settings.roles import prompts_role


def measure(view: StudyView, rules: dict) -> list[Finding]:
    """RL on the transfer set's train split gains less on its test split than RL on the easy set."""
    rows = []
    for c in settled(view):
        if view.role(own(view, c)) != "transfer":
            continue
        for easy in view.conditions:
            same = (easy.mixture, easy.scale, easy.algorithm) == (c.mixture, c.scale, c.algorithm)
            if not same or prompts_role(view.file, easy.prompts) != "task":
                continue
            benchmark = own(view, c)
            before, after = ends(view, c, benchmark)
            start, end = ends(view, easy, benchmark)
            before.after(start)
            less = (after.greedy - before.greedy) - (end.greedy - start.greedy)
            what = f"gain in pass@1 on {benchmark}: RL on {c.prompts} minus RL on {easy.prompts}"
            part = Part(what, less, below=rules["C13"]["gain_difference"])
            rows.append(Finding(Where.of(c, benchmark), (part,)))
    return rows


CLAIM = Claim(
    "C13",
    "RL on the transfer set's train split gains less on its test split than RL on the easy set",
    "transfer",
    measure,
    "the study does not train on both the transfer set and an easy one",
)
