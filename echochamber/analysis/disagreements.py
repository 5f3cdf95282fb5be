"""Where the two scorers differ: `strict`, and `authors`, the released code's rules."""

from __future__ import annotations

from echochamber.analysis.samples import Answers
from echochamber.settings import FORMATS

COLUMNS = ("mode", "format", "format_authors", "completions", "both_right", "only_strict", "only_authors")


def disagreements(mode: str, answers: Answers) -> list[dict[str, str | int]]:
    """One row for each pair of labels that occurs: how many completions, and which scorer calls them right."""
    rows = []
    for i, label in enumerate(FORMATS):
        for j, label_authors in enumerate(FORMATS):
            here = (answers.format == i) & (answers.format_authors == j)
            if here.any():
                strict, authors = answers.correct[here], answers.correct_authors[here]
                row = {"mode": mode, "format": label, "format_authors": label_authors, "completions": int(here.sum())}
                row |= {"both_right": int((strict & authors).sum()), "only_strict": int((strict & ~authors).sum())}
                rows.append(row | {"only_authors": int((~strict & authors).sum())})
    return rows
