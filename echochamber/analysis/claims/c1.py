"""C1 (Fig. 2 of the paper)."""

from __future__ import annotations

import numpy as np

from echochamber.analysis.claims.claim import Claim, Finding, Where, contested, ends, own, paired, settled, winner
from echochamber.analysis.claims.verdicts import Part
from echochamber.analysis.studies import StudyView


def measure(view: StudyView, rules: dict) -> list[Finding]:
    """Within the first pass the share of the study's final format rises, and half of the gain in accuracy comes.

    Of rise and reach each replicate counts by what it is nearer to. A mixture whose base models write one format alone
    is left out: there is nothing to move to.
    """
    limits = rules["C1"]
    rows = []
    for c in settled(view, policy_gradient=True):
        if not contested(view, c, rules):
            continue
        where, one_pass = Where.of(c), view.steps_per_pass(c)
        inside = [step for step in view.steps(c) if 0 < step <= one_pass + 0.5]
        if one_pass >= view.last_step(c) or not inside:
            reason = "the run has no more than one pass" if inside else "no checkpoint in the first pass"
            rows.append(Finding.untestable(where, "shares and accuracy after the first pass", reason))
            continue
        name = winner(view, c)
        before, after = ends(view, c)
        first = view.measured(c, own(view, c), max(inside))
        paired(before, first)
        rise = first.share(name) - before.share(name) - limits["rise"]
        reach = first.share(name) - limits["reach"]
        nearer = np.where(rise.mean(1, keepdims=True) >= reach.mean(1, keepdims=True), rise, reach)
        total_gain = after.greedy - before.greedy
        gained = np.where(total_gain.mean(1, keepdims=True) > 0, total_gain, 0.0)
        early = first.greedy - before.greedy - limits["share_of_gain"] * gained
        what = f"share of {name} after pass 1: the larger of rise - {limits['rise']:g}, share - {limits['reach']:g}"
        parts = (
            Part(what, nearer, above=0),
            Part(f"gain in pass@1 in pass 1 less {limits['share_of_gain']:g} of the whole", early, above=0),
        )
        rows.append(Finding(where, parts))
    return rows


CLAIM = Claim(
    "C1",
    "Within the first pass of RL the outputs move to one format, with the largest gain in accuracy",
    "formats",
    measure,
    "no mixture of the study has two formats that matter",
)
