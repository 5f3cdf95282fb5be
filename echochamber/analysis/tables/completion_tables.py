"""The tables that read the completions themselves: base model and end of RL, on every question set.

| table | one row |
|---|---|
| errors | share of a category of errors among all completions, or among the wrong ones: columns `ERRORS` |
| process | pass@k by all right answers and by right steps only, and what the steps are: columns `PROCESS` |
| error_examples | the first wrong completion of each category, for people to read: columns `EXAMPLES` |

What a row of the first two says is in `analysis.tables.completions`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from echochamber.analysis.tables import completions
from echochamber.stats.columns import MEASURED, OF_RUN, Table

ERRORS = Table(
    "errors",
    "the share of a category of errors before (step 0) or after RL, of a run or a setting",
    (*OF_RUN, *completions.ERRORS, *MEASURED),
)
PROCESS = Table(
    "process",
    "pass@k by all right answers and by right steps only, and what the steps are, before or after RL",
    (*OF_RUN, *completions.PROCESS, *MEASURED),
)
EXAMPLES = Table(
    "error_examples",
    "the first wrong completion of a category of errors, for people to read",
    (*OF_RUN, *completions.EXAMPLES),
    texts=True,
)


def of_run(
    axes: dict, questions: Path, sides: Iterable[tuple[str, Path, int]]
) -> tuple[dict[str, list[dict]], dict[int, pd.DataFrame]]:
    """Rows of the three tables for one run on one question set, and by step `completions.right_steps`.

    Args:
        axes: the columns `OF_RUN` but for the step.
        questions: the file of the questions.
        sides: `base` and `final`, each with its samples and their step.
    """
    rows: dict[str, list[dict]] = {"errors": [], "process": [], "error_examples": []}
    right_steps = {}
    for stage, path, step in sides:
        side = completions.read(path, step, questions)
        at = axes | {"step": 0 if stage == "base" else step, "n_seeds": 1}
        rows["errors"] += [at | row for row in completions.errors(side)]
        rows["process"] += [at | row for row in completions.process(side)]
        rows["error_examples"] += [at | row for row in completions.error_examples(side, stage)]
        right_steps[at["step"]] = completions.right_steps(side)
    return rows, right_steps
