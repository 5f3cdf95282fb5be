"""B2 (Yue et al. 2025, arXiv 2504.13837, section 4.1 and its table of solvable questions)."""

from __future__ import annotations

import numpy as np

from echochamber.analysis.claims.claim import Claim, Finding, Where, ends
from echochamber.analysis.claims.right_steps import known
from echochamber.analysis.claims.verdicts import Part
from echochamber.analysis.measured import Measured
from echochamber.analysis.studies import StudyView
from echochamber.settings import PolicyGradient
from echochamber.stats.metrics import pass_at_k


def measure(view: StudyView, rules: dict) -> list[Finding]:
    """Questions that RL solves and the base model does not, beyond what the base model's next tries would solve.

    By right steps where they are known.
    """
    rows = []
    for c in view.conditions:
        if not isinstance(view.algorithm(c), PolicyGradient):
            continue
        for benchmark in view.study.benchmarks:
            before, after = ends(view, c, benchmark)
            k = view.k(benchmark)
            what = f"solved in {k // 2} tries after RL and not before, less those of the base model's next {k // 2}"
            rows.append(
                Finding(Where.of(c, benchmark), (Part(what, beyond(before, after, k), below=rules["B2"]["beyond"]),))
            )
    return rows


def beyond(before: Measured, after: Measured, samples: int) -> np.ndarray:
    """Of each question: (replicates, questions), each 0 to 1 less 0 to 1.

    Half of the base model's samples, drawn at random, are its tries. A question counts if none of them is right and one
    of as many after RL is; what chance alone does is that none of them is right and one of the other half is. Both are
    expectations over the draws, by counts (`pass_at_k`). RL and base model are sampled independently.
    """
    half = samples // 2
    steps = known(before, after)
    first, second = (np.rint(samples * (m.right_steps if steps else m.accuracy)) for m in (before, after))
    unsolved = 1 - pass_at_k(samples, first, half)
    never = (first == 0).astype(float)
    return unsolved * pass_at_k(samples, second, half) - (unsolved - never)


CLAIM = Claim(
    "B2",
    "RL solves hardly any question that the base model would not solve in as many further tries",
    "passk",
    measure,
    "the study has no policy gradient",
)
