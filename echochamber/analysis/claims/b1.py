"""B1 (Yue et al. 2025, arXiv 2504.13837, figure 2)."""

from __future__ import annotations

from echochamber.analysis.claims.claim import Claim, Finding, Where, ends
from echochamber.analysis.claims.right_steps import best, gain, known
from echochamber.analysis.claims.verdicts import Part
from echochamber.analysis.studies import StudyView
from echochamber.settings import PolicyGradient


def measure(view: StudyView, rules: dict) -> list[Finding]:
    """pass@1 rises in RL and pass@k with all samples falls, on every benchmark of the study.

    By right steps where they are known: with many tries a guess is right, too.
    """
    limits = rules["B1"]
    rows = []
    for c in view.conditions:
        if not isinstance(view.algorithm(c), PolicyGradient):
            continue
        for benchmark in view.study.benchmarks:
            before, after = ends(view, c, benchmark)
            steps = known(before, after)
            more = best(after, steps) - best(before, steps)
            by = " by right steps" if steps else ""
            parts = (
                Part(f"pass@1{by}, end minus start", gain(before, after, steps), above=limits["gain"]),
                Part(f"pass@{view.k(benchmark)}{by}, end minus start", more, below=limits["pass_change"]),
            )
            rows.append(Finding(Where.of(c, benchmark), parts))
    return rows


CLAIM = Claim(
    "B1",
    "RL raises what is solved in one try and lowers what is solved in many",
    "passk",
    measure,
    "the study has no policy gradient",
)
