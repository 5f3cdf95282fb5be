"""The tables that read the completions themselves: base model and end of RL, on every question set.

| table | one row |
|---|---|
| errors | share of a category of errors among all completions, or among the wrong ones: columns `ERRORS` |
| process | pass@k by all right answers and by right steps only, and what the steps are: columns `PROCESS` |
| error_examples | the first wrong completion of each category, for people to read: columns `EXAMPLES` |

What a row of the first two says is in `analysis.completions`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import pandas as pd

from echochamber.analysis import completions
from echochamber.analysis.columns import AXES, ESTIMATE
from echochamber.analysis.replicates import with_seeds
from echochamber.grid import Grid

OF_RUN = ("id", *AXES, "base_step", "step", "question_set")
ERRORS = (*OF_RUN, *completions.ERRORS, *ESTIMATE)
PROCESS = (*OF_RUN, *completions.PROCESS, *ESTIMATE)
EXAMPLES = (*OF_RUN, *completions.EXAMPLES)
TEXTS = ("among", "category", "evidence")


def build(grid: Grid, runs: Iterable[tuple[dict, str]]) -> dict[str, pd.DataFrame]:
    """The tables by name. runs: for each run and question set the columns `OF_RUN` (step: the last), and its model."""

    def judged(id: str, benchmark: str, step: int) -> completions.Judged:
        asked = grid.paths.questions(grid.file.benchmarks[benchmark].questions, "test")
        return completions.read(grid.paths.samples(id, benchmark), step, asked)

    of_base = lru_cache(maxsize=4)(judged)  # the runs of a model follow each other
    errors, process, examples = [], [], []
    for axes, model in runs:
        benchmark = axes["question_set"]
        for stage, step, found in (
            ("base", 0, of_base(model, benchmark, axes["base_step"])),
            ("final", axes["step"], judged(axes["id"], benchmark, axes["step"])),
        ):
            at = axes | {"step": step, "n_seeds": 1}
            errors += [at | row for row in completions.errors(found)]
            process += [at | row for row in completions.process(found)]
            examples += [at | row for row in completions.error_examples(found, stage)]
    return {
        "errors": with_seeds(errors, ERRORS, ["among", "category"]),
        "process": with_seeds(process, PROCESS, ["measure", "k", "format"]),
        "error_examples": pd.DataFrame(examples, columns=list(EXAMPLES)),
    }
