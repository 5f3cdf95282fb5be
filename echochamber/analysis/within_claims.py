"""Claims about what happens during RL in one setting: C1, C2, C4, C5, C11, C12.

Each function takes a study and thresholds.yaml and returns one `Finding` for each setting that the claim is about;
none if the study has no such setting. Accuracy is greedy pass@1 on held-out questions of the prompts' own set.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from echochamber.analysis.studies import Condition, StudyView
from echochamber.analysis.verdicts import Finding, Part
from echochamber.settings import FORMATS, PolicyGradient


def settled(view: StudyView, *, policy_gradient: bool = False) -> list[Condition]:
    """Conditions whose own question set is measured."""
    return [
        c
        for c in view.conditions
        if view.own(c.prompts) and (not policy_gradient or isinstance(view.algorithm(c), PolicyGradient))
    ]


def change(view: StudyView, condition: Condition, metric: str, benchmark: str, k: int | None = None) -> pd.Series:
    """End minus start of a measure, by replicate."""
    curve = view.curve(condition, metric, benchmark, k=k)
    return curve[view.last_step(condition)] - curve[0]


def winners(view: StudyView, condition: Condition, step: int) -> pd.Series:
    """The format with the largest share, by replicate."""
    return view.shares(condition, view.own(condition.prompts), step).idxmax(axis=1)


def winner(view: StudyView, condition: Condition) -> str:
    """The format with the largest share after RL, on the mean of the replicates."""
    return str(view.shares(condition, view.own(condition.prompts), view.last_step(condition)).mean().idxmax())


def contested(view: StudyView, condition: Condition, rules: dict) -> bool:
    """Whether the base model writes at least two formats."""
    shares = view.shares(condition, view.own(condition.prompts), 0).mean()
    return bool(shares.nlargest(2).iloc[-1] >= rules["contested"])


def c1(view: StudyView, rules: dict) -> list[Finding]:
    """Within the first pass the winner's share rises, and half of the gain in accuracy comes.

    A mixture whose base model writes one format alone is left out: there is nothing to move to.
    """
    found = []
    for c in settled(view, policy_gradient=True):
        if not contested(view, c, rules):
            continue
        own, last, one_pass = view.own(c.prompts), view.last_step(c), view.steps_per_pass(c)
        name = winner(view, c)
        share = view.curve(c, "share", own, format=name)
        accuracy = view.curve(c, "greedy_accuracy", own)
        inside = [step for step in accuracy.columns if 0 < step <= one_pass + 0.5]
        if one_pass >= last or not inside:
            reason = (
                "the run has no more than one pass over the prompts" if inside else "no checkpoint in the first pass"
            )
            found.append(
                Finding(c.label(), (Part(f"shares and accuracy after the first pass: {reason}", missing=reason),))
            )
            continue
        first = max(inside)
        rise = np.maximum(share[first] - share[0] - rules["C1"]["rise"], share[first] - rules["C1"]["reach"])
        whole = (accuracy[last] - accuracy[0]).clip(lower=0)
        early = accuracy[first] - accuracy[0] - rules["C1"]["share_of_gain"] * whole
        limits = f"rise - {rules['C1']['rise']:g}, share - {rules['C1']['reach']:g}"
        parts = (
            Part(f"share of {name} after pass 1: the larger of {limits}", rise.to_numpy(), above=0),
            Part(
                f"gain in pass@1 in pass 1 less {rules['C1']['share_of_gain']:g} of the whole",
                early.to_numpy(),
                above=0,
            ),
        )
        found.append(Finding(c.label(), parts))
    return found


def c2(view: StudyView, rules: dict) -> list[Finding]:
    """majority@k rises, pass@k ends below its maximum before the end.

    The maximum of noisy checkpoints is above the end even if nothing declines. So the step of the maximum is chosen
    on the other replicates, and the end is compared with that step.
    """
    found = []
    for c in settled(view, policy_gradient=True):
        own, last = view.own(c.prompts), view.last_step(c)
        k = view.k(own)
        curve = view.curve(c, "pass_at_k", own, k=k)
        fall = [curve.loc[seed, last] - curve.loc[seed, peak(curve, seed)] for seed in curve.index]
        parts = (
            Part(
                f"majority@{k}, end minus start",
                change(view, c, "majority_at_k", own, k).to_numpy(),
                above=rules["C2"]["majority_gain"],
            ),
            Part(
                f"pass@{k}, end minus its maximum (step chosen on the other seeds)",
                np.array(fall),
                below=rules["C2"]["pass_change"],
            ),
        )
        found.append(Finding(c.label(), parts))
    return found


def peak(curve: pd.DataFrame, seed: object) -> int:
    """The step before the last at which the other replicates' mean is largest; the replicate's own if it is alone."""
    others = curve.drop(index=seed) if len(curve) > 1 else curve
    return int(others.mean().iloc[:-1].idxmax())


def c4(view: StudyView, rules: dict) -> list[Finding]:
    """There is a mixture in which the most frequent format of the base model is not the final one."""
    parts = []
    for c in settled(view, policy_gradient=True):
        if not contested(view, c, rules):
            continue
        start = view.shares(c, view.own(c.prompts), 0)
        other = winners(view, c, view.last_step(c)) != start.idxmax(axis=1)
        what = f"{c.label()}: the final format is not the base model's most frequent one"
        parts.append(Part(what, other.to_numpy(dtype=float), above=rules["majority"], winner=True))
    return [Finding("any mixture", tuple(parts), combine="any")] if parts else []


def c5(view: StudyView, rules: dict) -> list[Finding]:
    """With many passes over omi1 it wins, at an accuracy below that of another format that the base model had."""
    found = []
    for c in settled(view, policy_gradient=True):
        passes = format_passes(view, c.mixture)
        if passes.get("omi1", 0) < rules["C5"]["passes"] * max(passes.get("tinygsm", 0), 1):
            continue
        own, last = view.own(c.prompts), view.last_step(c)
        start = view.shares(c, own, 0).mean()
        others = [f for f in FORMATS if f != "omi1" and start[f] >= rules["C5"]["alternative_share"]]
        wins = Part(
            "the final format is omi1",
            (winners(view, c, last) == "omi1").to_numpy(dtype=float),
            above=rules["majority"],
            winner=True,
        )
        if others:
            best = pd.DataFrame({f: view.curve(c, "accuracy_within_format", own, format=f)[0] for f in others})
            final = view.curve(c, "pass_at_k", own, k=1)[last]
            less = final - best[best.mean().idxmax()]
            what = f"accuracy after RL minus that of {best.mean().idxmax()} in the base model"
            lower = Part(what, less.to_numpy(), below=rules["C5"]["accuracy_difference"])
        else:
            lower = Part("accuracy against an alternative format", missing="the base model has no other format")
        found.append(Finding(c.label(), (wins, lower)))
    return found


def c11(view: StudyView, rules: dict) -> list[Finding]:
    """Accuracy rises on the transfer set; more where pretraining held similar questions."""
    found = []
    groups: dict[tuple, list[Condition]] = {}
    for c in view.conditions:
        own = view.own(c.prompts)
        if own is None or view.role(own) == "task":
            groups.setdefault((c.scale, c.algorithm, c.prompts), []).append(c)
    for benchmark in view.study.benchmarks:
        if view.role(benchmark) != "transfer":
            continue
        for group in groups.values():
            gains = pd.DataFrame({c.mixture: change(view, c, "greedy_accuracy", benchmark) for c in group})
            rises = Part(f"gain in pass@1 on {benchmark}", gains.mean(axis=1).to_numpy(), above=rules["C11"]["gain"])
            similar = [m for m in gains if holds_similar(view, m, benchmark)]
            rest = [m for m in gains if m not in similar]
            if similar and rest:
                more = between_models(view, gains[similar].mean(axis=1) - gains[rest].mean(axis=1))
                what = "more gain where pretraining held similar questions"
                contrast = Part(what, more.to_numpy(), above=rules["C11"]["similar_difference"])
            else:
                reason = "needs mixtures with and without similar questions"
                contrast = Part(f"gain by what pretraining held: {reason}", missing=reason)
            found.append(Finding(f"{group[0].label('mixture')} on {benchmark}", (rises, contrast)))
    return found


def c12(view: StudyView, rules: dict) -> list[Finding]:
    """On the hard set pass@1 and majority@k stay, pass@k rises."""
    found = []
    for benchmark in view.study.benchmarks:
        if view.role(benchmark) != "hard":
            continue
        k, most = view.k(benchmark), rules["C12"]["accuracy_change"]
        for c in view.conditions:
            parts = (
                Part("pass@1, end minus start", change(view, c, "greedy_accuracy", benchmark).to_numpy(), -most, most),
                Part(
                    f"majority@{k}, end minus start",
                    change(view, c, "majority_at_k", benchmark, k).to_numpy(),
                    -most,
                    most,
                ),
                Part(
                    f"pass@{k}, end minus start",
                    change(view, c, "pass_at_k", benchmark, k).to_numpy(),
                    above=rules["C12"]["pass_change"],
                ),
            )
            found.append(Finding(f"{c.label()} on {benchmark}", parts))
    return found


def between_models(view: StudyView, values: pd.Series) -> pd.Series:
    """Replicates of a comparison between base models: with one pretraining seed there is one, whatever RL's seeds."""
    return values if view.runs["model_seed"].nunique() > 1 else pd.Series([values.mean()])


def format_passes(view: StudyView, mixture: str) -> dict[str, int]:
    """Passes over the sources of each format in a mixture (the most, if it has several of one format)."""
    names = {"tinygsm": "tinygsm", "openmathinstruct-1": "omi1", "openmathinstruct-2": "omi2", "metamathqa": "text"}
    found: dict[str, int] = {}
    settings = view.file.mixtures.get(mixture)
    for source, passes in (settings.passes if settings else {}).items():
        corpus = view.file.corpora[source]
        name = corpus.style if corpus.kind == "synthetic" else names.get(corpus.dataset)
        if name in FORMATS:
            found[name] = max(passes, found.get(name, 0))
    return found


def holds_similar(view: StudyView, mixture: str, benchmark: str) -> bool:
    """Whether a source of the mixture holds questions of the benchmark's kind (the same family; MATH for the hub)."""
    questions = view.file.question_sets[view.file.benchmarks[benchmark].questions]
    settings = view.file.mixtures.get(mixture)
    for source in settings.passes if settings else ():
        corpus = view.file.corpora[source]
        if questions.kind == "hub" and corpus.kind == "hub":
            if corpus.dataset in ("openmathinstruct-1", "openmathinstruct-2", "metamathqa"):
                return True
        elif questions.kind == corpus.kind == "synthetic" and corpus.style in FORMATS:
            same = corpus.problems.family == questions.problems.family
            if same:
                return True
    return False
