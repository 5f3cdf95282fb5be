"""Where the rules differ: which of them call a completion right."""

from __future__ import annotations

from typing import Any

import numpy as np

from echochamber.analysis.samples import Answers
from echochamber.formats import FORMATS, RULES
from echochamber.stats.columns import ID, MEASURED, QUESTION_SET, SETTING, STEP, Column, Table, names
from echochamber.stats.intervals import question_intervals

COLUMNS = (
    Column("mode", "text", "`greedy` or `sample`"),
    Column("format", "text", "label of the completions"),
    Column("format_authors", "text", "their label by the released code"),
    Column(
        "right_by", "text", "rules that call them right, joined by `+`, or `none`; the shares of all cases add up to 1"
    ),
)
SCORERS = Table(
    "scorers",
    "the share of a checkpoint's completions with these labels that these rules call right",
    (ID, *SETTING, STEP, QUESTION_SET, *COLUMNS, *MEASURED),
)
NOBODY = "none"


def disagreements(mode: str, answers: Answers) -> list[dict[str, Any]]:
    """Rows with `COLUMNS` and estimate, low, high, n_questions, n_samples, n_seeds: one for each case that occurs.

    right_by: the rules that call the completions right, joined by `+`, or `none`. estimate: share of the completions
    with this pair of labels of which this holds; the shares add up to 1. Intervals over questions.
    """
    outcome = np.sum([answers.rules[rule].correct.astype(int) << i for i, rule in enumerate(RULES)], axis=0)
    labels, labels_authors = answers.rules["executed"].format, answers.rules["authors"].format
    cases, shares = [], []
    for i, label in enumerate(FORMATS):
        for j, label_authors in enumerate(FORMATS):
            here = (labels == i) & (labels_authors == j)
            for which in np.unique(outcome[here]):
                right_by = "+".join(rule for i, rule in enumerate(RULES) if which >> i & 1)
                cases.append((mode, label, label_authors, right_by or NOBODY))
                shares.append((here & (outcome == which)).mean(1))
    counted = {"n_questions": len(answers.questions), "n_samples": answers.correct.size, "n_seeds": 1}
    ends = question_intervals(np.stack(shares, axis=1)).T
    return [
        dict(zip(names(COLUMNS), name, strict=True))
        | dict(zip(("estimate", "low", "high"), end, strict=True))
        | counted
        for name, end in zip(cases, ends, strict=True)
    ]
