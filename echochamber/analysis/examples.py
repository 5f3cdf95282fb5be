"""Completions for people to read: the same questions before and after RL, one completion of each format.

Nothing is picked for what it shows: the questions are those answered in most formats (first ones on a tie), the
completion is the first of its format.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from echochamber.analysis.samples import Answers
from echochamber.files import read_json_lines
from echochamber.grid import Grid
from echochamber.settings import FORMATS

QUESTIONS = 2
SAMPLES = (
    *("id", "mixture", "scale", "model_seed", "algorithm", "prompts", "run_seed", "stage", "step", "question_set"),
    *(
        "question_id",
        "question",
        "gold",
        "format",
        "share",
        "sample",
        "completion",
        "finished",
        "correct",
        "answer",
        "status",
    ),
)
"""Columns of tables/samples.csv; `share` is that of the format among the samples of this question at this stage."""


def examples(
    grid: Grid,
    row: pd.Series,
    benchmark: str,
    base: int,
    final: int,
    before: Mapping[tuple[int, str], Answers],
    after: Mapping[tuple[int, str], Answers],
) -> list[dict]:
    """Rows with the columns `SAMPLES` for one run on the question set of its own prompts; none on the others."""
    own = grid.file.prompts[row["prompts"]].questions
    if grid.file.benchmarks[benchmark].questions != own:
        return []
    stages = [("base", row["model_id"], base, before), ("final", row["id"], final, after)]
    answers = [found.get((step, "sample")) for _, _, step, found in stages]
    if any(a is None for a in answers):
        return []
    chosen = _questions(*answers)
    axes = {name: row[name] for name in SAMPLES[:7]}
    texts = _texts(grid.paths.questions(own, "test"))
    rows = []
    for (stage, id, step, _), found in zip(stages, answers, strict=True):
        table = _completions(grid.paths.samples(id, benchmark), step, chosen)
        for question in chosen:
            formats = found.format[found.questions == question][0]
            here = table[table["question_id"].astype(str) == question].sort_values("sample")
            for i in np.unique(formats):
                first = here[here["format"] == FORMATS[i]].iloc[0]
                rows.append(
                    axes
                    | {"stage": stage, "step": 0 if stage == "base" else step, "question_set": benchmark}
                    | {"question_id": question}
                    | texts.get(question, {})
                    | {"format": FORMATS[i], "share": (formats == i).mean()}
                    | {
                        name: first[name]
                        for name in ("sample", "completion", "finished", "correct", "answer", "status")
                    }
                )
    return rows


def _questions(before: Answers, after: Answers) -> list[str]:
    """The questions answered in most formats, before and after counted apart; in the table's order on a tie."""
    richness = [len(np.unique(a)) + len(np.unique(b)) for a, b in zip(before.format, after.format, strict=True)]
    return list(before.questions[np.argsort(-np.array(richness), kind="stable")[:QUESTIONS]])


def _completions(path: Path, step: int, questions: list[str]) -> pd.DataFrame:
    columns = ["question_id", "sample", "format", "completion", "finished", "correct", "answer", "status"]
    filters = [("step", "==", step), ("mode", "==", "sample"), ("question_id", "in", questions)]
    return pq.read_table(path, columns=columns, filters=filters).to_pandas()


@lru_cache(maxsize=16)
def _texts(path: Path) -> dict[str, dict[str, str]]:
    """question_id -> question and gold answer; nothing if the questions are not at hand."""
    if not path.exists():
        return {}
    return {str(q["question_id"]): {"question": q["question"], "gold": q["answer"]} for q in read_json_lines(path)}
