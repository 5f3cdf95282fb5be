"""C6 (Figs. 5 and 10 of the paper)."""

from __future__ import annotations

import json

import numpy as np

from echochamber.analysis.claims.claim import Claim, Finding, Where, between_models, ends, own, settled, trend
from echochamber.analysis.claims.passes import format_of, passes_over
from echochamber.analysis.claims.verdicts import Part
from echochamber.analysis.studies import Condition, StudyView

FORM = "tinygsm"


def measure(view: StudyView, rules: dict) -> list[Finding]:
    """More passes over tinygsm: higher accuracy after RL; majority@k gains in RL, pass@k does not rise."""
    limits = rules["C6"]
    rows = []
    for group in _differ_in_passes(view):
        both = [ends(view, c) for c in group]
        k = view.k(own(view, group[0]))
        slope = trend(np.log2([passes_over(view, c.mixture, FORM) for c in group]), [after.greedy for _, after in both])
        votes = np.mean([after.majority - before.majority for before, after in both], axis=0)
        best = np.mean([after.pass_at_k - before.pass_at_k for before, after in both], axis=0)
        what = "pass@1 after RL, for each doubling of the passes"
        parts = (
            Part(what, between_models(view, slope), above=limits["slope"]),
            Part(f"majority@{k}, end minus start", votes, above=limits["majority_gain"]),
            Part(f"pass@{k}, end minus start", best, below=limits["pass_change"]),
        )
        rows.append(Finding(Where.of(group[0], mixture=None), parts))
    return rows


def _differ_in_passes(view: StudyView) -> list[list[Condition]]:
    """Conditions whose mixtures differ in the passes over their tinygsm source alone, fewest passes first."""
    groups: dict[str, list[Condition]] = {}
    for c in settled(view, policy_gradient=True):
        if passes_over(view, c.mixture, FORM):
            mixture = view.file.mixtures[c.mixture]
            code = {s for s in mixture.passes if format_of(view.file.corpora[s]) == FORM}
            rest = {s: n for s, n in mixture.passes.items() if s not in code}
            key = json.dumps([c.scale, c.algorithm, c.prompts, sorted(code), rest, mixture.background], sort_keys=True)
            groups.setdefault(key, []).append(c)
    return [
        sorted(group, key=lambda c: passes_over(view, c.mixture, FORM))
        for group in groups.values()
        if len({passes_over(view, c.mixture, FORM) for c in group}) > 1
    ]


CLAIM = Claim(
    "C6",
    "More passes over TinyGSM give higher accuracy after RL; majority@k gains, pass@k does not rise",
    "mixtures",
    measure,
    "no mixtures of the study differ in the passes over tinygsm alone",
    of_models=True,
)
