"""The grid as a whole in a few sentences and one table: what RL did in each setting."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from echochamber.formats import DEFAULT_RULE
from echochamber.grid.expansion import Grid
from echochamber.report.numbers import SPACE, interval, percent
from echochamber.report.report_tables import SETTING
from echochamber.settings.roles import own_benchmark

SHOWN = 0.015
"""Formats below this share are left out of sentences."""


def outcome(grid: Grid, tables: Mapping[str, pd.DataFrame], runs: pd.DataFrame) -> dict:
    """What happened in one setting, on the held-out questions of the set that its prompts are from."""
    first = runs.iloc[0]
    study = next(
        s for s in grid.file.studies.values() if first["algorithm"] in s.algorithms and first["prompts"] in s.prompts
    )
    own = own_benchmark(grid.file, study, first["prompts"]) or study.benchmarks[0]
    scores = tables["scores"]
    scores = scores[
        scores["id"].isin(runs["id"]) & (scores["scorer"] == DEFAULT_RULE) & (scores["question_set"] == own)
    ]
    last = scores["step"].max()
    shares = scores[scores["metric"] == "share"].groupby(["step", "format"])["estimate"].mean()
    k = grid.file.benchmarks[own].samples

    def at(metric: str, step: int, k: int | None = None) -> float:
        rows = scores[(scores["metric"] == metric) & (scores["step"] == step)]
        return float((rows[rows["k"] == k] if k else rows)["estimate"].mean())

    gains = tables["gains"]
    mine = gains[
        (gains["scorer"] == DEFAULT_RULE) & (gains["question_set"] == own) & (gains["metric"] == "greedy_accuracy")
    ]
    for axis in SETTING:
        mine = mine[mine[axis].isna() if pd.isna(first[axis]) else mine[axis] == first[axis]]
    pooled = mine[mine["id"].isna()]
    gain = (pooled if len(pooled) else mine).iloc[0]
    return {
        "algorithm": first["algorithm"],
        "mixture": first["mixture"],
        "scale": first["scale"],
        "seeds": int(gain["n_seeds"]),
        "question_set": own,
        "before": _in_words(shares[0]),
        "after": _in_words(shares[last]),
        "stayed": shares[last].idxmax() == shares[0].idxmax(),
        "largest": float(shares[last].max()),
        "greedy": (at("greedy_accuracy", 0), at("greedy_accuracy", last)),
        "majority": (at("majority_at_k", 0, k), at("majority_at_k", last, k)),
        "best": (at("pass_at_k", 0, k), at("pass_at_k", last, k)),
        "k": k,
        "gain": interval(gain["estimate"], gain["low"], gain["high"], signed=True),
        "decided": bool(gain["low"] > 0 or gain["high"] < 0),
        "kl": _final_kl(tables, runs),
    }


def summary(outcomes: list[dict]) -> str:
    """Counts over the settings of a grid, in a few sentences."""
    if not outcomes:
        return "This grid has no RL runs."
    one = [o for o in outcomes if o["largest"] >= 0.9]
    stayed = sum(o["stayed"] for o in one)
    up = sum(o["decided"] and o["gain"].startswith("+") for o in outcomes)
    down = sum(o["decided"] and o["gain"].startswith("-") for o in outcomes)
    wider = sum(o["best"][1] > o["best"][0] for o in outcomes)
    few = sum(o["seeds"] < 3 for o in outcomes)
    return (
        f"In {len(one)} of {len(outcomes)} settings at least 90 % of the completions are in one format after RL; "
        f"in {stayed} of these it is the one that the base model used most. The gain in greedy pass@1 is above 0 "
        f"with its whole interval in {up} of {len(outcomes)} settings and below 0 in {down}. "
        f"pass@k ended above the base model's in {wider}. "
        f"{few} of {len(outcomes)} settings have fewer than three seeds: what they show may be chance."
    )


def _in_words(shares: pd.Series) -> str:
    named = shares[shares >= SHOWN].sort_values(ascending=False)
    return ", ".join(f"{name}{SPACE}{percent(value)}" for name, value in named.items())


def _final_kl(tables: Mapping[str, pd.DataFrame], runs: pd.DataFrame) -> float | None:
    rows = tables["training"]
    rows = rows[rows["id"].isin(runs["id"])]
    if "kl" not in rows or rows["kl"].isna().all():
        return None
    return float(rows[rows["step"] > 0.9 * rows.groupby("id")["step"].transform("max")]["kl"].mean())
