"""Completions for people to read: the same questions before and after RL, one completion of each format.

Nothing is picked for what it shows: the questions are those answered in most formats (first ones on a tie), the
completion is the first of its format.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from echochamber.analysis.samples import Answers, completions
from echochamber.formats import FORMATS
from echochamber.jobs.files import read_json_lines
from echochamber.printable import shown
from echochamber.stats.columns import (
    ANSWER,
    COMPLETION,
    GOLD,
    ID,
    QUESTION,
    QUESTION_ID,
    QUESTION_SET,
    SAMPLE,
    SETTING,
    STATUS,
    STEP,
    Column,
    Table,
)

QUESTIONS = 2
SAMPLES = Table(
    "samples",
    "a completion before or after RL, for the report: the first of its format, to two questions",
    (
        *(ID, *SETTING),
        Column("stage", "text", "`base` or `final`"),
        *(STEP, QUESTION_SET, QUESTION_ID, QUESTION, GOLD),
        Column("format", "text", "of the completion"),
        Column("share", "number", "of the format among the samples of this question at this stage"),
        *(SAMPLE, COMPLETION),
        Column("finished", "boolean", "the end token was sampled"),
        Column("correct", "boolean", "by the default rule"),
        *(ANSWER, STATUS),
    ),
    texts=True,
)


def examples(axes: dict, questions: Path, stages: Sequence[tuple[str, Path, int, Answers]]) -> list[dict]:
    """Rows with the columns `SAMPLES` for one run on the question set of its own prompts.

    Args:
        axes: id, axes and question set.
        questions: the file of the questions.
        stages: `base` and `final`, each with its samples, their step, and the sampled answers of that step.
    """
    chosen = _questions(*(drawn for *_, drawn in stages))
    texts = _texts(questions)
    rows = []
    for stage, path, step, drawn in stages:
        table = _completions(path, step, chosen)
        for question in chosen:
            formats = drawn.format[drawn.questions == question][0]
            here = table[table["question_id"].astype(str) == question].sort_values("sample")
            for i in np.unique(formats):
                first = here[here["format"] == FORMATS[i]].iloc[0]
                rows.append(
                    axes
                    | {"stage": stage, "step": 0 if stage == "base" else step}
                    | {"question_id": question}
                    | texts.get(question, {})
                    | {"format": FORMATS[i], "share": (formats == i).mean()}
                    | {name: first[name] for name in ("sample", "finished", "correct", "status")}
                    | {name: shown(first[name]) for name in ("completion", "answer")}
                )
    return rows


def _questions(before: Answers, after: Answers) -> list[str]:
    """The questions answered in most formats, before and after counted apart; in the table's order on a tie."""
    richness = [len(np.unique(a)) + len(np.unique(b)) for a, b in zip(before.format, after.format, strict=True)]
    return list(before.questions[np.argsort(-np.array(richness), kind="stable")[:QUESTIONS]])


def _completions(path: Path, step: int, questions: list[str]) -> pd.DataFrame:
    columns = ["question_id", "sample", "format", "completion", "finished", "correct", "answer", "status"]
    filters = [("step", "==", step), ("mode", "==", "sample"), ("question_id", "in", questions)]
    return completions(path, columns, filters)


@lru_cache(maxsize=16)
def _texts(path: Path) -> dict[str, dict[str, str]]:
    """question_id -> question and gold answer; nothing if the questions are not at hand."""
    if not path.exists():
        return {}
    return {str(q["question_id"]): {"question": q["question"], "gold": q["answer"]} for q in read_json_lines(path)}
