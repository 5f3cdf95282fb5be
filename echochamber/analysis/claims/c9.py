"""C9 (Fig. 14 of the paper)."""

from __future__ import annotations

from echochamber.algorithms.grpo import Grpo
from echochamber.algorithms.ppo import Ppo
from echochamber.analysis.claims.claim import Claim, Finding, Where, end, paired
from echochamber.analysis.claims.pairs import drawdown, pairs
from echochamber.analysis.claims.verdicts import Part
from echochamber.analysis.studies import StudyView


def measure(view: StudyView, rules: dict) -> list[Finding]:
    """GRPO ends with the format that PPO ends with, with a larger fall of the reward on the way.

    A row for each setting of PPO: at the paper's lambda of .95 the token that chooses the format gets hardly any
    credit, so that a study does well to have one at 1 too.
    """
    rows = []
    for grpo, ppo in pairs(view, Grpo, Ppo):
        ours, theirs = end(view, grpo), end(view, ppo)
        paired(ours, theirs)
        same = (ours.winners == theirs.winners).astype(float)
        window = rules["C9"]["window"]
        worse = drawdown(view, grpo, window) - drawdown(view, ppo, window)
        names = f"{grpo.algorithm} and {ppo.algorithm}"
        what = (
            f"largest fall of the mean reward (means over {window:g} of a pass), {grpo.algorithm} minus {ppo.algorithm}"
        )
        parts = (
            Part(f"{names} end with the same format", same, above=rules["majority"], winner=True),
            Part(what, worse, above=rules["C9"]["drawdown_difference"]),
        )
        rows.append(Finding(Where.of(ppo, algorithm=names), parts))
    return rows


CLAIM = Claim(
    "C9",
    "GRPO ends with the same format as PPO, less stably",
    "algorithms",
    measure,
    "the study has no GRPO and PPO with the same KL coefficient",
    winner=True,
)
