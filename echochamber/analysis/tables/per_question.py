"""What each model answered to each question at each step: counts, from which measures over seeds and questions follow.

Claims have intervals over seeds and questions, so they start from here and not from tables of averages. The counts are
by the default rule, in the formats that are ours.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from echochamber.analysis.samples import Answers
from echochamber.analysis.tables.decomposition import counts
from echochamber.analysis.tables.scores import majority_votes
from echochamber.formats import FORMATS, RULES
from echochamber.stats.columns import ID, QUESTION_ID, QUESTION_SET, SETTING, STEP, Column, Table

WRITTEN = tuple(f"written_{name}" for name in FORMATS)
RIGHT = tuple(f"right_{name}" for name in FORMATS)
RULED = tuple(f"right_by_{rule}" for rule in RULES)
COUNTS = ("samples", *WRITTEN, *RIGHT, *RULED)
PER_QUESTION = Table(
    "per_question",
    "what a run answered to a question at a checkpoint, in counts by the default rule",
    (
        *(ID, *SETTING, QUESTION_SET, STEP, QUESTION_ID),
        Column("samples", "count", "completions"),
        *(Column(f"written_{name}", "count", f"completions in format {name}") for name in FORMATS),
        *(Column(f"right_{name}", "count", f"right ones among those in format {name}") for name in FORMATS),
        *(Column(f"right_by_{rule}", "count", f"completions that are right by the rule `{rule}`") for rule in RULES),
        Column("majority", "number", "expected correctness of the vote of all"),
        Column("greedy", "number", "1 if greedy decoding is right, else 0"),
        Column("right_steps", "number", "right by right steps; empty where steps were not looked at"),
    ),
)


def per_question(answers: Mapping[tuple[int, str], Answers], step: int) -> pd.DataFrame:
    """One row a question of one model at one step, in the order of the questions' ids: columns from `question_id` on.

    `right_steps` is left missing. Raises ValueError if greedy and sampled answers are to different questions.
    """
    greedy, sampled = answers.get((step, "greedy")), answers.get((step, "sample"))
    if sampled is None:
        raise ValueError(f"step {step}: found no samples, allowed: samples of every kept step")
    written, right = counts(sampled)
    table = pd.DataFrame({"question_id": sampled.questions, "samples": sampled.correct.shape[1]})
    table[list(WRITTEN)] = written
    table[list(RIGHT)] = right
    for rule, column in zip(RULES, RULED, strict=True):
        table[column] = sampled.by(rule).correct.sum(1)
    table["majority"] = majority_votes(sampled)[:, -1]
    table["greedy"] = np.nan
    if greedy is not None:
        if not np.array_equal(greedy.questions, sampled.questions):
            raise ValueError(f"step {step}: greedy and sampled answers are to different questions")
        table["greedy"] = greedy.correct.mean(1)
    table["right_steps"] = np.nan
    return table
