"""What the page says of one study: its answer, figures, claims, what differs from the paper, what went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd

from echochamber.analysis.studies import StudyView, seeds_in_words
from echochamber.grid.expansion import Grid
from echochamber.report.answers import Line, answer
from echochamber.report.behaviours import behaviours
from echochamber.report.differences import differences
from echochamber.report.looks import segments
from echochamber.report.numbers import SPACE, percent
from echochamber.report.pictures import picture
from echochamber.report.troubles import troubles

SHOWN = 0.015
"""Formats below this share are left out of words."""
FIGURES_IN_WORDS = {
    "formats": "Formats and accuracy within them during RL",
    "passk": "pass@1, majority vote and pass@k during RL",
    "kl": "Across KL coefficients",
    "algorithms": "Algorithms compared",
    "mixtures": "Mixtures compared, before and after RL",
    "scales": "Across model sizes",
    "transfer": "What RL does on other questions",
    "dynamics": "Shares on the RL prompts, measured and foretold",
    "errors": "What is wrong in wrong answers",
    "process": "Right answers by right steps",
    "trajectories": "Formats and pass@k during RL, by KL coefficient",
    "styles": "Styles within the winning format during RL",
    "bases": "Base models, own and imported ones",
    "benchmarks": "Scores before and after RL, by benchmark",
    "stationary": "Shares foretold from the base model, and measured",
    "map": "Share and accuracy in the base model, and who won",
    "forecast": "Winners foretold from the base models",
    "behaviours": "Behaviours during RL, measured and foretold, and accuracy of what shows them",
    "amplified": "Behaviours before RL, as foretold, and after",
}
LINE = ("label", "condition", "winner", "share", "gain", "accuracy", "replicates", "question_set")
Claims = list[list[dict[str, Any]]]


def section(
    grid: Grid, tables: Mapping[str, pd.DataFrame], claims: pd.DataFrame, name: str, whole: Grid
) -> dict[str, Any]:
    """All that `study.html.j2` and the first screen show of a study. whole: the grid with what is missing of it."""
    study = grid.file.studies[name]
    answered = answer(grid, tables, claims, name)
    return {
        "name": name,
        "title": study.title,
        "models": len(grid.study_models(study)),
        "runs": len(grid.study_runs(study)),
        "seeds": seeds_in_words(StudyView(grid, name, tables)),
        "benchmarks": study.benchmarks,
        "answer": asdict(answered) | {"lines": [_line(line) for line in answered.lines]},
        "figures": _figures(grid, name),
        "behaviours": behaviours(grid, name),
        "claims": grouped(claims[claims["study"] == name]),
        "differences": differences(grid, name),
        "troubles": troubles(whole, tables, name),
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        **{name: getattr(line, name) for name in LINE},
        "segments_before": segments(line.before),
        "segments_after": segments(line.after),
        "words_before": in_words(line.before),
        "words_after": in_words(line.after),
    }


def in_words(shares: Mapping[str, float]) -> str:
    """`omi2 52 %, tinygsm 47 %`, the largest first."""
    named = sorted(((share, name) for name, share in shares.items() if share >= SHOWN), reverse=True)
    return ", ".join(f"{name}{SPACE}{percent(share)}" for share, name in named)


def _figures(grid: Grid, study: str) -> list[dict[str, Any]]:
    figures = []
    for kind in grid.file.studies[study].figures:
        stem = grid.paths.figures / f"{study}-{kind}"
        image, caption = stem.with_name(stem.name + ".png"), stem.with_name(stem.name + ".caption.txt")
        if image.exists():
            words = caption.read_text(encoding="utf-8").strip() if caption.exists() else ""
            about = {"name": stem.name, "kind": kind, "kind_in_words": FIGURES_IN_WORDS[kind], "caption": words}
            figures.append(about | asdict(picture(image)))
    return figures


def grouped(claims: pd.DataFrame) -> Claims:
    """Rows of claims.csv, each with the rows of its parts behind it; primary ones first."""
    groups: Claims = []
    for row in claims.astype(object).where(claims.notna(), None).to_dict("records"):
        if "." in row["claim"] and groups:
            groups[-1].append(row)
        else:
            groups.append([row])
    return sorted(groups, key=lambda rows: not rows[0]["primary"])
