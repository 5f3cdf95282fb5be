"""Where the two scorers differ: `strict`, and `authors`, the released code's rules."""

from __future__ import annotations

import numpy as np

from echochamber.analysis.samples import Answers
from echochamber.intervals import question_intervals
from echochamber.settings import FORMATS

COLUMNS = ("mode", "format", "format_authors", "outcome")
OUTCOMES = ("both_right", "only_strict", "only_authors", "both_wrong")


def disagreements(mode: str, answers: Answers) -> list[dict]:
    """Rows with `COLUMNS` and estimate, low, high, n_questions, n_samples, n_seeds: one for each outcome that occurs.

    estimate: share of the completions with this pair of labels and this outcome; the shares add up to 1. Intervals
    over questions.
    """
    strict, authors = answers.correct, answers.correct_authors
    outcomes = (strict & authors, strict & ~authors, ~strict & authors, ~strict & ~authors)
    names, shares = [], []
    for i, label in enumerate(FORMATS):
        for j, label_authors in enumerate(FORMATS):
            here = (answers.format == i) & (answers.format_authors == j)
            for outcome, which in zip(OUTCOMES, outcomes, strict=True):
                if (here & which).any():
                    names.append((mode, label, label_authors, outcome))
                    shares.append((here & which).mean(1))
    counted = {"n_questions": len(answers.questions), "n_samples": strict.size, "n_seeds": 1}
    ends = question_intervals(np.stack(shares, axis=1)).T
    return [
        dict(zip(COLUMNS, name, strict=True)) | dict(zip(("estimate", "low", "high"), end, strict=True)) | counted
        for name, end in zip(names, ends, strict=True)
    ]
