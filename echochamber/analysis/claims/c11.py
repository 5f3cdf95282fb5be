"""C11 (Table 1 of the paper)."""

from __future__ import annotations

import numpy as np

from echochamber.analysis.claims.claim import Claim, Finding, Where, between_models, ends
from echochamber.analysis.claims.passes import format_of
from echochamber.analysis.claims.right_steps import best, gain, known
from echochamber.analysis.claims.verdicts import Part
from echochamber.analysis.measured import Measured
from echochamber.analysis.studies import Condition, StudyView
from echochamber.settings import SyntheticSource


def measure(view: StudyView, rules: dict) -> list[Finding]:
    """Accuracy rises on the transfer set; more where pretraining held similar questions.

    By right steps where they are known, so that neither guesses nor a floor count; greedy pass@1 elsewhere.
    """
    groups: dict[tuple, list[Condition]] = {}
    for c in view.conditions:
        own = view.own(c.prompts)
        if own is None or view.role(own) == "task":
            groups.setdefault((c.scale, c.algorithm, c.prompts), []).append(c)
    rows = []
    for benchmark in view.study.benchmarks:
        if view.role(benchmark) == "transfer":
            rows += [_row(view, group, benchmark, rules) for group in groups.values()]
    return rows


def _row(view: StudyView, group: list[Condition], benchmark: str, rules: dict) -> Finding:
    where = Where.of(group[0], benchmark, mixture=None)
    both = {c.mixture: ends(view, c, benchmark) for c in group}
    steps = known(*(side for pair in both.values() for side in pair))
    if floored(list(both.values()), steps, rules):
        return Finding.untestable(where, f"gain on {benchmark}", "not testable here, at the floor before and after RL")
    gains = {name: gain(before, after, steps) for name, (before, after) in both.items()}
    by = "right steps" if steps else "greedy decoding"
    mean_gain = np.mean(list(gains.values()), axis=0)
    rises = Part(f"gain in pass@1 by {by} on {benchmark}", mean_gain, above=rules["C11"]["gain"])
    similar = [values for name, values in gains.items() if holds_similar(view, name, benchmark)]
    rest = [values for name, values in gains.items() if not holds_similar(view, name, benchmark)]
    if similar and rest:
        more = between_models(view, np.mean(similar, axis=0) - np.mean(rest, axis=0))
        what = "more gain where pretraining held similar questions"
        contrast = Part(what, more, above=rules["C11"]["similar_difference"])
    else:
        reason = "needs mixtures with and without similar questions"
        contrast = Part(f"gain by what pretraining held: {reason}", missing=reason)
    return Finding(where, (rises, contrast))


def floored(both: list[tuple[Measured, Measured]], steps: bool, rules: dict) -> bool:
    """Whether pass@k is at the floor before and after RL."""
    return all(best(side, steps).mean() < rules["floor"] for pair in both for side in pair)


def holds_similar(view: StudyView, mixture: str, benchmark: str) -> bool:
    """Whether a source of the mixture holds questions of the benchmark's kind.

    In the embedded world: of the same family, and of the same things where it names any; on the hub: like MATH's.
    """
    questions = view.file.question_sets[view.file.benchmarks[benchmark].questions]
    settings = view.file.mixtures.get(mixture)
    for name in settings.passes if settings else ():
        source = view.file.corpora[name]
        if questions.kind == "hub" and source.kind == "hub":
            if format_of(source) not in (None, "tinygsm"):
                return True
        elif questions.kind == "synthetic" and isinstance(source, SyntheticSource) and format_of(source):
            ours, theirs = questions.problems, source.problems
            things = not ours.things or not theirs.things or set(ours.things) <= set(theirs.things)
            if ours.family == theirs.family and things:
                return True
    return False


CLAIM = Claim(
    "C11",
    "RL on the easy set raises accuracy on the transfer set, more where pretraining held similar questions",
    "transfer",
    measure,
    "the study measures no transfer set",
    of_models=True,
)
