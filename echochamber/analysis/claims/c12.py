"""C12 (Tables 4 to 6 of the paper)."""

from __future__ import annotations

from echochamber.analysis.claims.c11 import floored
from echochamber.analysis.claims.claim import Claim, Finding, Where, ends
from echochamber.analysis.claims.right_steps import best, gain, known
from echochamber.analysis.claims.verdicts import Part
from echochamber.analysis.studies import StudyView


def measure(view: StudyView, rules: dict) -> list[Finding]:
    """On the hard set pass@1 and majority@k stay, pass@k rises.

    pass@1 and pass@k are by right steps where they are known.
    """
    rows = []
    for benchmark in view.study.benchmarks:
        if view.role(benchmark) != "hard":
            continue
        k, most = view.k(benchmark), rules["C12"]["accuracy_change"]
        for c in view.conditions:
            before, after = ends(view, c, benchmark)
            where = Where.of(c, benchmark)
            steps = known(before, after)
            if floored([(before, after)], steps, rules):
                reason = "not testable here, at the floor before and after RL"
                rows.append(Finding.untestable(where, f"change on {benchmark}", reason))
                continue
            by = " by right steps" if steps else ""
            more = best(after, steps) - best(before, steps)
            parts = (
                Part(f"pass@1{by}, end minus start", gain(before, after, steps), -most, most),
                Part(f"majority@{k}, end minus start", after.majority - before.majority, -most, most),
                Part(f"pass@{k}{by}, end minus start", more, above=rules["C12"]["pass_change"]),
            )
            rows.append(Finding(where, parts))
    return rows


CLAIM = Claim(
    "C12",
    "On the hard set pass@1 and majority@k hardly move, pass@k rises",
    "transfer",
    measure,
    "the study measures no hard set",
)
