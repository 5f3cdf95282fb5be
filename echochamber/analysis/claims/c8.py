"""C8 (Fig. 7 of the paper)."""

from __future__ import annotations

import numpy as np
import scipy

from echochamber.analysis.claims.claim import Claim, Finding, Where, between_models, end, settled
from echochamber.analysis.claims.verdicts import Exact, Part
from echochamber.analysis.studies import Condition, StudyView, parameters
from echochamber.stats.intervals import clopper_pearson

PERMUTATIONS = 20_000


def measure(view: StudyView, rules: dict) -> list[Finding]:
    """Winner and scale depend on each other: a permutation test over all seeds of all scales.

    It fails if over all scales together one format wins more often than it could if it won nowhere at one scale and
    everywhere else. The number in the row is the share of seeds whose winner at the smallest scale is not that at the
    largest, with its exact interval.
    """
    groups: dict[tuple, list[Condition]] = {}
    for c in settled(view, policy_gradient=True):
        if c.scale in view.file.scales:
            groups.setdefault((c.mixture, c.algorithm, c.prompts), []).append(c)
    rows = []
    for group in groups.values():
        group = sorted(group, key=lambda c: parameters(view.file.scales[c.scale]))
        where = Where.of(group[0], scale=None)
        if len(group) < rules["C8"]["scales"]:
            reason = f"found {len(group)} scale, needed {rules['C8']['scales']}"
            rows.append(Finding.untestable(where, "final format by scale", reason))
            continue
        ratio = parameters(view.file.scales[group[-1].scale]) / parameters(view.file.scales[group[0].scale])
        what = (
            f"the final formats of {group[0].scale} and {group[-1].scale} ({ratio:.3g} times the parameters) differ; "
            f"test of winner and scale over {len(group)} scales"
        )
        rows.append(Finding(where, (Part(what, exact=_test(view, group, rules)),)))
    return rows


def _test(view: StudyView, group: list[Condition], rules: dict) -> Exact:
    """Over the conditions of a mixture, smallest scale first."""
    by_scale = [between_models(view, end(view, c).winners) for c in group]
    pairs = min(len(by_scale[0]), len(by_scale[-1]))
    differ = by_scale[0][:pairs] != by_scale[-1][:pairs]
    runs = np.concatenate(by_scale)
    most_wins = int(np.unique(runs, return_counts=True)[1].max())
    return Exact(
        clopper_pearson(int(differ.sum()), pairs, rules["level"]),
        p_holds=independence(by_scale) / 2,  # a test without direction
        p_fails=float(scipy.stats.binom.sf(most_wins - 1, len(runs), 1 - 1 / len(group))),
        replicates=pairs,
    )


def independence(groups: list[np.ndarray], seed: int = 0) -> float:
    """p-value of the permutation test that labels do not depend on the group.

    groups: labels, one array a group. Statistic: sum over groups and labels of n^2 / group size (a monotone function of
    chi-squared, for given margins). By Monte Carlo with the observed one counted (Phipson and Smyth 2010): never 0.
    """
    labels = np.concatenate(groups)
    sizes = np.array([len(group) for group in groups])
    names, codes = np.unique(labels, return_inverse=True)
    if len(names) == 1:
        return 1.0
    of = np.repeat(np.arange(len(groups)), sizes)

    def statistic(codes: np.ndarray) -> float:
        table = np.zeros((len(groups), len(names)))
        np.add.at(table, (of, codes), 1)
        return float((table**2 / sizes[:, None]).sum())

    rng = np.random.default_rng(seed)
    observed = statistic(codes)
    as_large = sum(statistic(rng.permutation(codes)) >= observed - 1e-9 for _ in range(PERMUTATIONS))
    return (as_large + 1) / (PERMUTATIONS + 1)


CLAIM = Claim(
    "C8",
    "On the same mixture a larger model ends with another format",
    "scales",
    measure,
    "no mixture of the study is trained at several scales",
    of_models=True,
)
