"""The paper's claims, judged on the tables of a grid: claims.csv.

A study is asked the claims that it lists. A row is a claim about one setting; the rows of its parts follow (C1.1,
C1.2) with verdicts by their own intervals, while the claim's verdict is after Holm's correction over all claims of
the grid. Thresholds are in `thresholds.yaml` beside this file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from echochamber.analysis import between_claims, error_claims, style_claims, theory_claims, verdicts, within_claims
from echochamber.analysis.studies import StudyView
from echochamber.analysis.thresholds import thresholds
from echochamber.analysis.verdicts import NOT_HERE, Finding, Judged, Part
from echochamber.grid import Grid
from echochamber.settings import CLAIMS

COLUMNS = (
    *("claim", "world", "study", "hypothesis", "metric", "estimate", "low", "high", "threshold", "smallest_effect"),
    *("n_seeds", "verdict", "figure"),
)


@dataclass(frozen=True)
class Claim:
    """A claim of the paper: in words, how it is measured, and the figure that shows it."""

    hypothesis: str
    figure: str
    measure: Callable[[StudyView, dict], list[Finding]] | None
    missing: str = "the study has no setting that this claim is about"


LIST: dict[str, Claim] = {
    "C1": Claim(
        "Within the first pass of RL the outputs move to one format, with the largest gain in accuracy",
        "formats",
        within_claims.c1,
        "no mixture of the study has two formats that matter",
    ),
    "C2": Claim("majority@k rises while pass@k declines towards the end", "passk", within_claims.c2),
    "C3": Claim(
        "A larger KL coefficient keeps some of the second format, at comparable pass@1 and higher pass@k",
        "kl",
        between_claims.c3,
        "no two algorithms of the study differ in their KL alone",
    ),
    "C4": Claim(
        "The winner need not be the most frequent format of the base model",
        "mixtures",
        within_claims.c4,
        "no mixture of the study has two formats that matter",
    ),
    "C5": Claim(
        "With 8 passes over omi1 RL ends with omi1, at lower accuracy",
        "mixtures",
        within_claims.c5,
        "no mixture of the study has 8 passes over omi1 for one over tinygsm",
    ),
    "C6": Claim(
        "More passes over TinyGSM: higher accuracy after RL; pass@k does not rise, majority@k gains 5 to 10 points",
        "mixtures",
        between_claims.c6,
        "no mixtures of the study differ in the passes over tinygsm alone",
    ),
    "C7": Claim(
        "Inside the winning format RL goes on to select a style, beyond the drift of a neutral twin",
        "formats",
        style_claims.c7,
        "the study measures no styles",
    ),
    "C8": Claim("On the same mixture a larger model ends with another format", "scales", between_claims.c8),
    "C9": Claim(
        "GRPO ends with the same format as PPO, less stably",
        "algorithms",
        between_claims.c9,
        "the study has no GRPO and PPO with the same KL coefficient",
    ),
    "C10": Claim(
        "Expert Iteration shifts formats only mildly and ends lower than PPO",
        "algorithms",
        between_claims.c10,
        "the study has no Expert Iteration beside a PPO",
    ),
    "C11": Claim(
        "RL on the easy set raises accuracy on the transfer set, more where pretraining held similar questions",
        "transfer",
        within_claims.c11,
        "the study measures no transfer set",
    ),
    "C12": Claim(
        "On the hard set pass@1 and majority@k hardly move, pass@k rises",
        "transfer",
        within_claims.c12,
        "the study measures no hard set",
    ),
    "C13": Claim(
        "RL on the transfer set's train split gains less on its test split than RL on the easy set",
        "transfer",
        between_claims.c13,
        "the study does not train on both the transfer set and an easy one",
    ),
    "C14": Claim(
        "The kinds of errors change between base and RL model",
        "errors",
        error_claims.c14,
        "the study has no run whose own question set is measured",
    ),
    "T1": Claim(
        "KL-regularised RL re-weights formats as the theory predicts from the base model",
        "kl",
        theory_claims.t1,
        "the study has no run whose own question set is measured",
    ),
}
assert tuple(LIST) == CLAIMS


@dataclass(frozen=True)
class Row:
    """A claim about one setting of one study, judged."""

    claim: str
    study: str
    finding: Finding
    parts: list[Judged]


def evaluate(grid: Grid, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """claims.csv of a grid: at least one row for each of `settings.CLAIMS`. tables: as `tables.read` gives them."""
    rows = judged(grid, tables)
    rules = thresholds()
    before = [verdicts.combined(row.parts, row.finding.combine, rules) for row in rows]
    after = verdicts.correct(
        before, [verdicts.p_values(row.parts, row.finding.combine) for row in rows], rules["level"]
    )
    table: list[dict] = []
    for row, verdict in zip(rows, after, strict=True):
        common = {"world": grid.file.world, "study": row.study, "hypothesis": LIST[row.claim].hypothesis}
        common["figure"] = _figure(grid, row)
        label = f" [{row.finding.label}]" if row.finding.label else ""
        if len(row.parts) == 1:
            table.append({"claim": row.claim} | common | _numbers(row.parts[0], label) | {"verdict": verdict})
            continue
        names = [f"{row.claim}.{i}" for i in range(1, len(row.parts) + 1)]
        seeds = [len(j.part.finite) for j in row.parts if not j.part.missing]
        joined = (" and " if row.finding.combine == "all" else " or ").join(names)
        table.append(
            {"claim": row.claim}
            | common
            | {"metric": joined + label, "n_seeds": min(seeds, default=0), "verdict": verdict}
        )
        for name, part in zip(names, row.parts, strict=True):
            table.append({"claim": name} | common | _numbers(part, label) | {"verdict": part.verdict})
    return pd.DataFrame(table, columns=list(COLUMNS)).astype({"n_seeds": "Int64"})


def judged(grid: Grid, tables: Mapping[str, pd.DataFrame]) -> list[Row]:
    """Every claim on every study that lists it, part by part, before any correction."""
    rules = thresholds()
    rows = []
    for name, claim in LIST.items():
        studies = [study for study, settings in grid.file.studies.items() if name in settings.claims]
        if not studies:
            missing = claim.missing if claim.measure is None else "no study of this grid lists it"
            rows.append(Row(name, "", *_nothing(missing, rules)))
        for study in studies:
            found = claim.measure(StudyView(grid, study, tables), rules) if claim.measure else []
            rows += [Row(name, study, f, [verdicts.judge(part, rules) for part in f.parts]) for f in found]
            if not found:
                rows.append(Row(name, study, *_nothing(claim.missing, rules)))
    return rows


def _nothing(missing: str, rules: dict) -> tuple[Finding, list[Judged]]:
    part = Part(missing, missing=missing)
    return Finding("", (part,)), [verdicts.judge(part, rules)]


def _numbers(j: Judged, label: str) -> dict:
    if j.verdict == NOT_HERE:
        return {"metric": j.part.what + label, "n_seeds": 0}
    estimate, low, high = (float(v) for v in j.interval)
    numbers = {"estimate": estimate, "low": low, "high": high, "threshold": j.part.threshold}
    numbers |= {"smallest_effect": verdicts.smallest_effect(j, thresholds())}
    return numbers | {"metric": j.part.what + label, "n_seeds": int(np.size(j.part.finite))}


def _figure(grid: Grid, row: Row) -> str:
    if not row.study:
        return ""
    kinds = grid.file.studies[row.study].figures
    kind = LIST[row.claim].figure
    kind = kind if kind in kinds else next(iter(kinds), "")
    return f"figures/{row.study}-{kind}.png" if kind else ""
