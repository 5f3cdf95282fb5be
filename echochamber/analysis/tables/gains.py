"""The gain of a run over its base model on the same questions, and that of a setting over its seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from echochamber.analysis.replicates import by_replicate
from echochamber.analysis.samples import Drawn
from echochamber.formats import RULES
from echochamber.stats.columns import ID, MEASURED, QUESTION_SET, SETTING, START, STEP, Column, K, Table
from echochamber.stats.intervals import crossed_interval, paired_interval

GAINS = Table(
    "gains",
    "the gain of a run over its base model on the same questions, and that of a setting over its seeds",
    (
        *(ID, *SETTING),
        Column("random_numbers", "text", "`independent` or `common`"),
        *(START, STEP, QUESTION_SET),
        Column("scorer", "text", "the rule that judged"),
        Column("metric", "text", "`greedy_accuracy`, or `pass_at_k` of k = 1"),
        K,
        Column("base", "number", "the base model's"),
        Column("final", "number", "after RL"),
        *MEASURED,
    ),
)
OF_QUESTIONS = Table(
    GAINS.name,
    "the gain of a run",
    (*GAINS.columns, Column("difference", "numbers", "the gain on each question, in the order of their ids")),
)
"""The gains of single runs, with what an interval over seeds and questions starts from."""
SAME = (
    *("mixture", "scale", "algorithm", "prompts", "random_numbers", "start", "step", "question_set"),
    *("scorer", "metric", "k"),
)
"""What the gains of one setting share."""


def gains(axes: dict, before: Drawn, base: int, after: Drawn, final: int) -> list[dict]:
    """Rows with the columns `OF_QUESTIONS` of one run; `axes` are those before `scorer`.

    Raises ValueError, in one line, if base model and run answered different questions.
    """
    rows = []
    for scorer in RULES:
        for metric, mode, k in (("greedy_accuracy", "greedy", None), ("pass_at_k", "sample", 1)):
            old, new = before.get((base, mode)), after.get((final, mode))
            if old is None or new is None:
                continue
            if not np.array_equal(old.questions, new.questions):
                raise ValueError(f"{axes['id']} on {axes['question_set']}: base and run answered different questions")
            a, b = old.by(scorer).correct.mean(1), new.by(scorer).correct.mean(1)
            gain, low, high = paired_interval(a, b)
            rows.append(
                axes
                | {"scorer": scorer, "metric": metric, "k": k, "base": a.mean(), "final": b.mean()}
                | {"estimate": gain, "low": low, "high": high, "n_questions": len(a)}
                | {"n_samples": old.correct.size + new.correct.size, "n_seeds": 1, "difference": b - a}
            )
    return rows


def with_settings(single: pd.DataFrame) -> pd.DataFrame:
    """The table `GAINS`: gains of single runs, then a row for each setting with several replicates.

    The interval of the latter is over seeds and questions. single: `OF_QUESTIONS`.
    """
    rows = []
    for key, part in single.groupby(list(SAME), dropna=False, sort=False):
        differences = by_replicate(part, "difference")
        if len(differences) > 1:
            gain, low, high = crossed_interval(np.stack(list(differences)))
            rows.append(
                dict(zip(SAME, key, strict=True))
                | {"base": by_replicate(part, "base").mean(), "final": by_replicate(part, "final").mean()}
                | {"estimate": gain, "low": low, "high": high, "n_questions": part["n_questions"].iloc[0]}
                | {"n_samples": part["n_samples"].sum(), "n_seeds": len(differences)}
            )
    pooled = pd.DataFrame(rows, columns=list(GAINS))
    return pd.concat([single[list(GAINS)], pooled]) if rows else single[list(GAINS)]
