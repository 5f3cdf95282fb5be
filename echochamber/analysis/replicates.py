"""What counts as an independent replicate.

Runs from one base model share that model, so where a study has several model seeds, a replicate is a model seed and
its RL seeds are averaged first. With one model seed a replicate is an RL seed, and what is concluded holds for that
base model.
"""

from __future__ import annotations

import pandas as pd


def unit(runs: pd.DataFrame) -> str:
    """The column that tells replicates apart: `model_seed` or `run_seed`."""
    return "model_seed" if runs["model_seed"].nunique() > 1 else "run_seed"


def by_replicate(runs: pd.DataFrame, value: str) -> pd.Series:
    """Mean of `value` (numbers, or arrays of one shape) within each replicate, in the order of the seeds."""
    return pd.Series(
        {seed: sum(part[value]) / len(part) for seed, part in runs.groupby(unit(runs), sort=True, dropna=False)}
    )


def describe(runs: pd.DataFrame) -> str:
    """The replicates in words, for captions and claims."""
    of = unit(runs)
    n = max(runs[of].nunique(), 1)
    if of == "model_seed":
        each = runs.groupby("model_seed")["run_seed"].nunique()
        more = f", the mean of {each.max()} RL seeds each" if each.max() > 1 else ""
        return f"{n} pretraining seeds{more}"
    return f"{n} RL seeds of one base model" if n > 1 else "1 seed"
