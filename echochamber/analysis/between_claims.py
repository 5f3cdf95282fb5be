"""Claims that compare settings: C3 (KL), C6 (passes), C8 (scales), C9 and C10 (algorithms), C13 (prompts).

Replicates are paired by seed. A comparison between base models counts pretraining seeds only.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from echochamber import metrics
from echochamber.analysis import replicates
from echochamber.analysis.studies import Condition, StudyView, final_kl, kl_families, parameters
from echochamber.analysis.verdicts import Finding, Part
from echochamber.analysis.within_claims import between_models, change, format_passes, settled, winner, winners
from echochamber.intervals import t_interval


def c3(view: StudyView, rules: dict) -> list[Finding]:
    """A stronger KL penalty keeps some of the second format, at comparable pass@1 and higher pass@k."""
    found = []
    for family in kl_families(view):
        low, high = family[0], family[-1]
        own = view.own(low.prompts)
        k = view.k(own)
        kl = [replicates.by_replicate(final_kl(view, c), "kl") for c in (low, high)]
        names = f"{high.algorithm} minus {low.algorithm}"
        label = low.label("algorithm")
        apart = t_interval((kl[0] - kl[1]).dropna())
        if np.isfinite(apart.low) and apart.low <= 0:
            reason = f"the final KL does not differ measurably ({kl[0].mean():.3g} and {kl[1].mean():.3g} nats)"
            found.append(Finding(label, (Part(f"{names}: {reason}", missing=reason),)))
            continue
        base = view.shares(low, own, 0).mean().drop(winner(view, low))
        second = str(base.idxmax())

        def end(c: Condition, metric: str, own: str = own, **more) -> pd.Series:
            return view.curve(c, metric, own, **more)[view.last_step(c)]

        limit = rules["C3"]["accuracy_difference"]
        share = end(high, "share", format=second) - end(low, "share", format=second)
        accuracy = end(high, "greedy_accuracy") - end(low, "greedy_accuracy")
        best = end(high, "pass_at_k", k=k) - end(low, "pass_at_k", k=k)
        parts = (
            Part(f"share of {second}, {names}", share.to_numpy(), above=rules["C3"]["second_share"]),
            Part(f"pass@1, {names}", accuracy.to_numpy(), -limit, limit),
            Part(f"pass@{k}, {names}", best.to_numpy(), above=rules["C3"]["pass_difference"]),
        )
        found.append(Finding(label, parts))
    return found


def c6(view: StudyView, rules: dict) -> list[Finding]:
    """More passes over tinygsm: higher accuracy after RL; pass@k does not rise; majority@k gains a little."""
    found = []
    for group in _differ_in_passes(view):
        own = view.own(group[0].prompts)
        k = view.k(own)
        doublings = np.log2([format_passes(view, c.mixture)["tinygsm"] for c in group])
        final = pd.DataFrame({c.mixture: view.curve(c, "greedy_accuracy", own)[view.last_step(c)] for c in group})
        final = final.dropna()
        centred = doublings - doublings.mean()
        slope = pd.Series(final.to_numpy() @ centred / (centred**2).sum(), index=final.index)
        best = pd.DataFrame({c.mixture: change(view, c, "pass_at_k", own, k) for c in group}).mean(axis=1)
        votes = pd.DataFrame({c.mixture: change(view, c, "majority_at_k", own, k) for c in group}).mean(axis=1)
        low, high = rules["C6"]["majority_gain"]
        parts = (
            Part(
                "pass@1 after RL, for each doubling of the passes",
                between_models(view, slope).to_numpy(),
                above=rules["C6"]["slope"],
            ),
            Part(f"pass@{k}, end minus start", best.to_numpy(), below=rules["C6"]["pass_change"]),
            Part(f"majority@{k}, end minus start", votes.to_numpy(), low, high),
        )
        found.append(Finding(f"{', '.join(c.mixture for c in group)} · {group[0].label('mixture')}", parts))
    return found


def _differ_in_passes(view: StudyView) -> list[list[Condition]]:
    """Conditions whose mixtures differ in the passes over their tinygsm source alone, fewest passes first."""
    groups: dict[str, list[Condition]] = {}
    for c in settled(view, policy_gradient=True):
        if "tinygsm" in format_passes(view, c.mixture):
            mixture = view.file.mixtures[c.mixture]
            code = {s for s in mixture.passes if _is_tinygsm(view, s)}
            rest = {s: n for s, n in mixture.passes.items() if s not in code}
            key = json.dumps([c.scale, c.algorithm, c.prompts, sorted(code), rest, mixture.background], sort_keys=True)
            groups.setdefault(key, []).append(c)
    return [
        sorted(group, key=lambda c: format_passes(view, c.mixture)["tinygsm"])
        for group in groups.values()
        if len({format_passes(view, c.mixture)["tinygsm"] for c in group}) > 1
    ]


def _is_tinygsm(view: StudyView, source: str) -> bool:
    corpus = view.file.corpora[source]
    return (corpus.style if corpus.kind == "synthetic" else corpus.dataset) == "tinygsm"


def c8(view: StudyView, rules: dict) -> list[Finding]:
    """The final format of the largest scale is not that of the smallest."""
    groups: dict[tuple, list[Condition]] = {}
    for c in settled(view, policy_gradient=True):
        if c.scale in view.file.scales:
            groups.setdefault((c.mixture, c.algorithm, c.prompts), []).append(c)
    found = []
    for group in groups.values():
        sizes = {c: parameters(view.file.scales[c.scale]) for c in group}
        small, large = min(group, key=sizes.__getitem__), max(group, key=sizes.__getitem__)
        ratio = sizes[large] / sizes[small]
        if len(group) < rules["C8"]["scales"] or ratio < rules["C8"]["parameters_ratio"]:
            needed = f"{rules['C8']['scales']} scales over {rules['C8']['parameters_ratio']}x parameters"
            reason = f"found {len(group)} scales over {ratio:.3g}x, needed {needed}"
            found.append(Finding(group[0].label("scale"), (Part(f"final format by scale: {reason}", missing=reason),)))
            continue
        differ = (winners(view, small, view.last_step(small)) != winners(view, large, view.last_step(large))).astype(
            float
        )
        if view.runs["model_seed"].nunique() == 1:
            differ = pd.Series([float(differ.mean() > 0.5)])
        what = f"the final formats of {small.scale} and {large.scale} differ"
        part = Part(what, differ.to_numpy(), above=rules["majority"], winner=True)
        found.append(Finding(group[0].label("scale"), (part,)))
    return found


def c9(view: StudyView, rules: dict) -> list[Finding]:
    """GRPO ends with the format that PPO ends with, with a larger fall of the reward on the way."""
    found = []
    for grpo, ppo in _pairs(view, "grpo", "ppo"):
        same = winners(view, grpo, view.last_step(grpo)) == winners(view, ppo, view.last_step(ppo))
        worse = _drawdown(view, grpo) - _drawdown(view, ppo)
        parts = (
            Part("both end with the same format", same.to_numpy(dtype=float), above=rules["majority"], winner=True),
            Part(
                f"largest fall of the mean reward, {grpo.algorithm} minus {ppo.algorithm}",
                worse.to_numpy(),
                above=rules["C9"]["drawdown_difference"],
            ),
        )
        found.append(Finding(f"{grpo.label('algorithm')} · {grpo.algorithm} and {ppo.algorithm}", parts))
    return found


def c10(view: StudyView, rules: dict) -> list[Finding]:
    """Expert Iteration shifts the shares less than half as far as PPO and ends lower."""
    found = []
    for ei, ppo in _pairs(view, "expert_iteration", "ppo"):
        own = view.own(ei.prompts)
        half = rules["C10"]["shift_ratio"]
        less = _shift(view, ei) - half * _shift(view, ppo)
        accuracy = [view.curve(c, "greedy_accuracy", own)[view.last_step(c)] for c in (ei, ppo)]
        lower = accuracy[0] - accuracy[1]
        what = f"shift of shares (total variation), {ei.algorithm} minus {half:g} of {ppo.algorithm}"
        parts = (
            Part(what, less.to_numpy(), below=0),
            Part(
                f"pass@1 after RL, {ei.algorithm} minus {ppo.algorithm}",
                lower.to_numpy(),
                below=rules["C10"]["accuracy_difference"],
            ),
        )
        found.append(Finding(f"{ei.label('algorithm')} · {ei.algorithm} and {ppo.algorithm}", parts))
    return found


def c13(view: StudyView, rules: dict) -> list[Finding]:
    """RL on the transfer set's train split gains less on its test split than RL on the easy set."""
    found = []
    for c in view.conditions:
        own = view.own(c.prompts)
        if own is None or view.role(own) != "transfer":
            continue
        for easy in view.conditions:
            same = easy.label() == c.label()
            if not same or view.own(easy.prompts) is None or view.role(view.own(easy.prompts)) != "task":
                continue
            less = change(view, c, "greedy_accuracy", own) - change(view, easy, "greedy_accuracy", own)
            what = f"gain in pass@1 on {own}: RL on {c.prompts} minus RL on {easy.prompts}"
            part = Part(what, less.to_numpy(), below=rules["C13"]["gain_difference"])
            found.append(Finding(c.label(), (part,)))
    return found


def _pairs(view: StudyView, kind: str, other: str) -> list[tuple[Condition, Condition]]:
    """Conditions alike but for the kind of algorithm; of several settings those with the nearest KL coefficient."""
    found = []
    for a in settled(view):
        if view.algorithm(a).kind != kind:
            continue
        matching = [
            b
            for b in settled(view)
            if view.algorithm(b).kind == other and (a.mixture, a.scale, a.prompts) == (b.mixture, b.scale, b.prompts)
        ]
        if matching:
            mine = getattr(getattr(view.algorithm(a), "kl", None), "coefficient", None)
            nearest = min(
                matching, key=lambda b: abs(view.algorithm(b).kl.coefficient - mine) if mine is not None else 0
            )
            if mine is None or view.algorithm(nearest).kl.coefficient == mine:
                found.append((a, nearest))
    return found


def _drawdown(view: StudyView, condition: Condition) -> pd.Series:
    rows = view.of(condition, view.training).sort_values("step")
    falls = rows.groupby(["id", "model_seed", "run_seed"], dropna=False)["reward_mean"].agg(metrics.maximal_drawdown)
    return replicates.by_replicate(falls.reset_index(), "reward_mean")


def _shift(view: StudyView, condition: Condition) -> pd.Series:
    """Total variation between the base model's shares and the final ones, by replicate."""
    own = view.own(condition.prompts)
    start, end = view.shares(condition, own, 0), view.shares(condition, own, view.last_step(condition))
    return pd.Series(metrics.total_variation(start.to_numpy(), end.to_numpy()), index=start.index)
