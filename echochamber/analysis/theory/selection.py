"""Which rule foretells the format that wins, against "the most frequent one wins".

Every rule looks at the base model's samples on the RL prompts alone, except that the mean fields use a time constant
fitted on one run: that run is not counted for any rule. Nor is one whose base model writes a single format. Runs from
one base model share it and are no independent trials, so hits are counted by base model: it is a hit if the rule is
right in more than half of its runs. And the base models of one mixture share all that it does to a winner, so the
interval and the test count mixtures.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import scipy

from echochamber.analysis.claims.thresholds import thresholds
from echochamber.analysis.rl_prompts import Rollouts, Start
from echochamber.analysis.theory.predictions import WRITTEN
from echochamber.formats import FORMATS
from echochamber.stats.columns import Column, Table
from echochamber.stats.intervals import clopper_pearson, clustered_trials

PREDICTORS = ("most frequent", "most accurate", "shortest", "T1", "natural gradient", "softmax gradient")
PICKS = (
    Column("predictor", "text", "the rule that foretells the winner"),
    Column("pick", "text", "the format that it expects; empty: it says nothing"),
    Column("winner", "text", "the format that the run ended with"),
    Column("hit", "boolean", "they are one; empty: it says nothing"),
    Column(
        "counted",
        "boolean",
        "the base model's second format is common enough, and nothing was fitted on the run",
    ),
)
SUMMARY = Table(
    "selection",
    "how often a rule was right about the winner, by base model and mixture, against `most frequent`",
    (
        Column("predictor", "text", "the rule"),
        Column("hits", "count", "runs that it was right about"),
        Column("n_runs", "count", "runs that it spoke about"),
        Column("estimate", "number", "share of base models that it was right about, mean over mixtures"),
        Column(
            "low",
            "number",
            "lower end of the interval of Clopper and Pearson, of the trials that the mixtures are worth",
        ),
        Column("high", "number", "upper end"),
        Column("n_models", "count", "base models"),
        Column("n_mixtures", "count", "their mixtures"),
        Column("better", "count", "mixtures where it is right about more base models than `most frequent`"),
        Column("worse", "count", "mixtures where it is right about fewer"),
        Column("p_value", "number", "of their difference, exact sign test"),
    ),
)
CONTESTED = thresholds()["contested"]
"""A run counts if the base model's second format has this share."""


def picks(start: Start, rollouts: Rollouts, foretold: Mapping[str, str | None]) -> list[dict]:
    """Rows predictor, pick, winner, hit, contested for one run. foretold: the picks of T1 and of the mean fields."""
    written, right = (side.sum(0) for side in start.counts())
    shares = written / written.sum()
    present = shares >= WRITTEN
    tokens = np.where(present, start.tokens, np.inf)
    accuracy = np.where(present, right / np.maximum(written, 1), -1.0)
    choices = {
        "most frequent": FORMATS[int(shares.argmax())],
        "most accurate": FORMATS[int(accuracy.argmax())],
        "shortest": FORMATS[int(tokens.argmin())],
    } | dict(foretold)
    winner = FORMATS[int(rollouts.end()["estimate"].argmax())]
    contested = bool(np.sort(shares)[-2] >= CONTESTED)
    return [
        {"predictor": name, "pick": choices.get(name), "winner": winner, "contested": contested}
        | {"hit": None if choices.get(name) is None else choices[name] == winner}
        for name in PREDICTORS
    ]


def summary(table: pd.DataFrame) -> list[dict]:
    """Rows `SUMMARY`, one a predictor. table: columns `PICKS`, base_model and its mixture.

    better, worse, p_value are about the base models that both rules speak of.
    """
    counted = table[table["counted"] & table["pick"].notna()].assign(hit=lambda t: t["hit"].astype(float))
    by_model = counted.groupby(["predictor", "mixture", "base_model"], sort=False)["hit"].mean() > 0.5
    none = pd.Series(dtype=bool, index=pd.MultiIndex.from_arrays([[], []], names=by_model.index.names[1:]))
    baseline = by_model.get("most frequent", none).astype(float)
    rows = []
    for name in PREDICTORS:
        hits = by_model.get(name, none).astype(float)
        runs = counted[counted["predictor"] == name]
        of_mixtures = hits.groupby("mixture").mean()
        more = (hits - baseline).dropna().groupby("mixture").mean()
        better, worse = int((more > 0).sum()), int((more < 0).sum())
        estimate, low, high = clopper_pearson(*clustered_trials(of_mixtures.to_numpy(), len(hits)))
        rows.append(
            {"predictor": name, "hits": int(runs["hit"].sum()), "n_runs": len(runs), "n_models": len(hits)}
            | {"n_mixtures": len(of_mixtures)}
            | {"estimate": estimate, "low": low, "high": high, "better": better, "worse": worse}
            | {"p_value": float(scipy.stats.binomtest(better, better + worse).pvalue) if better + worse else 1.0}
        )
    return rows
