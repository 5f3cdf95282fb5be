"""What counts as an independent replicate.

Runs from one base model share that model, so where a study has several model seeds, a replicate is a model seed and
its RL seeds are averaged first. With one model seed a replicate is an RL seed, and what is concluded holds for that
base model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from echochamber.stats.intervals import t_interval


def unit(runs: pd.DataFrame) -> str:
    """The column that tells replicates apart: `model_seed` or `run_seed`."""
    return "model_seed" if runs["model_seed"].nunique() > 1 else "run_seed"


def by_replicate(runs: pd.DataFrame, value: str) -> pd.Series:
    """Mean of `value` (numbers, or arrays of one shape) within each replicate, in the order of the seeds."""
    return pd.Series(
        {seed: sum(part[value]) / len(part) for seed, part in runs.groupby(unit(runs), sort=True, dropna=False)}
    )


def of_each_run(rows: pd.DataFrame, value: str, how: Literal["sum", "mean"], parts: int | None = None) -> pd.DataFrame:
    """The sum or mean of a column over the rows of each run: id, model_seed, run_seed and the column.

    Args:
        parts: the rows that each run must have; None: any number.

    Raises:
        ValueError: a run lacks a row or a value. Pandas would add up the rest, and the sum would be of something else.
    """
    groups = rows.groupby(["id", "model_seed", "run_seed"], dropna=False)
    for key, part in groups:
        if part[value].isna().any() or (parts is not None and len(part) != parts):
            count = int(part[value].notna().sum())
            raise ValueError(f"{key[0]}: found {count} values of {value}, allowed: {parts or len(part)}, none missing")
    return groups[value].agg(how).reset_index()


def with_seeds(rows: list[dict] | pd.DataFrame, columns: Sequence[str], of: list[str]) -> pd.DataFrame:
    """The rows of single runs, then one for each setting with several replicates, with the t-interval over them.

    of: the columns that tell the measures of a run apart. At step 0 several RL seeds have one and the same base model:
    its row stands for the setting as it is, with its interval over questions.
    """
    table = pd.DataFrame(rows, columns=list(columns))
    pooled = []
    group = ["mixture", "scale", "algorithm", "prompts", "start", "step", "question_set", *of]
    for key, part in table.groupby(group, dropna=False, sort=False):
        values = by_replicate(part, "estimate")
        if len(values) > 1:
            estimate, low, high = t_interval(values)
            if np.isinf(values.astype(float)).any():  # curves that do not cross in one replicate: no mean
                estimate, low, high = np.inf, np.nan, np.nan
            seeds = len(values)
            if key[5] == 0 and unit(part) == "run_seed":
                estimate, low, high = part[["estimate", "low", "high"]].iloc[0]
                seeds = 1
            pooled.append(
                dict(zip(group, key, strict=True))
                | {"estimate": estimate, "low": low, "high": high, "n_questions": part["n_questions"].iloc[0]}
                | {"n_samples": part["n_samples"].sum(), "n_seeds": seeds}
            )
    return pd.concat([table, pd.DataFrame(pooled, columns=list(columns))]) if pooled else table


def describe(runs: pd.DataFrame) -> str:
    """The replicates in words, for captions and claims."""
    of = unit(runs)
    n = max(runs[of].nunique(), 1)
    if of == "model_seed":
        each = runs.groupby("model_seed")["run_seed"].nunique()
        more = f", the mean of {each.max()} RL seeds each" if each.max() > 1 else ""
        return f"{n} pretraining seeds{more}"
    return f"{n} RL seeds of one base model" if n > 1 else "1 seed"
