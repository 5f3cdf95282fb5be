"""C5 (Fig. 4b of the paper)."""

from __future__ import annotations

from echochamber.analysis.claims.claim import Claim, Finding, Where, end, ends, paired, settled, winner
from echochamber.analysis.claims.passes import documents_by_format, same_sources
from echochamber.analysis.claims.verdicts import Part
from echochamber.analysis.studies import StudyView


def measure(view: StudyView, rules: dict) -> list[Finding]:
    """A format that pretraining held many times as often wins, at lower accuracy than where the other one won.

    To win its share must rise: it is nearly all that the base model writes, and a run that was on its way to the other
    format when it ended would count as one that it won.

    Accuracy after RL is compared with that of the study's mixture of the same sources in which another format won (the
    most accurate of them). Base models of two mixtures are independent, and are paired by their seeds.
    """
    limits, conditions = rules["C5"], settled(view, policy_gradient=True)
    rows = []
    for c in conditions:
        seen = documents_by_format(view, c.mixture)
        if len(seen) < 2:
            continue
        (most, amount), (_, next_amount) = sorted(seen.items(), key=lambda item: -item[1])[:2]
        if amount < limits["ratio"] * next_amount * 0.99:  # parts of a pass are rounded
            continue
        before, after = ends(view, c)
        rose = after.share(most).mean(1) > before.share(most).mean(1)
        won = ((after.winners == most) & rose).astype(float)
        wins = Part(f"RL raises {most} and ends with it", won, above=rules["majority"], winner=True)
        others = [
            end(view, o)
            for o in conditions
            if (o.scale, o.algorithm, o.prompts) == (c.scale, c.algorithm, c.prompts)
            and same_sources(view, o.mixture, c.mixture)
            and winner(view, o) != most
        ]
        if others:
            best = max(others, key=lambda m: m.accuracy.mean())
            paired(after, best)
            what = "accuracy after RL, less that of the mixture of the same sources where another format won"
            lower = Part(what, after.accuracy - best.accuracy, below=limits["accuracy_difference"])
        else:
            reason = "no mixture of the same sources in which another format won"
            lower = Part(f"accuracy after RL: {reason}", missing=reason)
        rows.append(Finding(Where.of(c), (wins, lower)))
    return rows


CLAIM = Claim(
    "C5",
    "A format that pretraining held 8 times as often wins, though the model ends less accurate",
    "mixtures",
    measure,
    "no mixture of the study holds a format 8 times as often as the next",
    winner=True,
)
