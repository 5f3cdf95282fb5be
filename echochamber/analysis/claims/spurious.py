"""What R1 to R4 share: the gain under a reward that does not ask what is right, beside that under the true one."""

from __future__ import annotations

from collections.abc import Callable

from echochamber.analysis.claims.claim import Claim, Finding, Where, ends, paired, settled
from echochamber.analysis.claims.verdicts import Part
from echochamber.analysis.studies import Condition, StudyView


def claim(name: str, reward: str, hypothesis: str) -> Claim:
    """The claim about one reward; its limits stand under its name in the thresholds."""
    return Claim(
        name,
        hypothesis,
        "algorithms",
        _measure(name, reward),
        f"no two algorithms of the study differ in their reward alone, {reward} against a rule",
    )


def _measure(name: str, reward: str) -> Callable[[StudyView, dict], list[Finding]]:
    def measure(view: StudyView, rules: dict) -> list[Finding]:
        """Accuracy rises under the spurious reward, and by this share of the gain under the true one.

        Accuracy is that of samples, by the default rule. Both runs start from the same base models.
        """
        limits = rules[name]
        conditions = settled(view, policy_gradient=True)
        rows = []
        for spurious in (c for c in conditions if view.algorithm(c).reward == reward):
            for true in (
                c for c in conditions if view.algorithm(c).rule and _setting(view, c) == _setting(view, spurious)
            ):
                (before, after), (start, end) = ends(view, spurious), ends(view, true)
                paired(before, start)
                gain, full = after.accuracy - before.accuracy, end.accuracy - start.accuracy
                share = limits["share_of_true"]
                less = f"gain in accuracy under {reward} less {share:g} of that under {view.algorithm(true).reward}"
                parts = (
                    Part(f"gain in accuracy under {reward}", gain, above=limits["gain"]),
                    Part(less, gain - share * full, above=0.0),
                )
                both = f"{spurious.algorithm} and {true.algorithm}"
                rows.append(Finding(Where.of(spurious, algorithm=both), parts))
        return rows

    return measure


def _setting(view: StudyView, c: Condition) -> tuple:
    """All that two conditions must share: everything but the reward."""
    return c.mixture, c.scale, c.prompts, view.algorithm(c).model_dump_json(exclude={"reward"})
