"""The tables of the report: numbers as text, one list of rows a table."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from echochamber.analysis.studies import points
from echochamber.analysis.tables.decomposition import PARTS
from echochamber.analysis.tables.styles import LENGTH
from echochamber.formats import DEFAULT_RULE
from echochamber.grid.expansion import Grid
from echochamber.report.numbers import NOTHING, SPACE, effect, interval, number, percent
from echochamber.rl.audit import WINDOW

SETTING = ["mixture", "scale", "algorithm", "prompts", "start"]
"""What runs have in common that differ in seeds only."""


def settings(tables: Mapping[str, pd.DataFrame]) -> list:
    """(axes, runs) of each setting, runs that differ in seeds only."""
    runs = tables["runs"]
    runs = runs[runs["kind"] == "run"]
    return list(runs.groupby(SETTING, dropna=False, sort=False))


def scores(grid: Grid, tables: Mapping[str, pd.DataFrame]) -> list[dict]:
    """Before and after RL: one row for each setting and question set."""
    rows = []
    table = tables["scores"]
    table = table[table["scorer"] == DEFAULT_RULE]
    for key, runs in settings(tables):
        mine = table[table["id"].isin(runs["id"])]
        for benchmark, part in mine.groupby("question_set", sort=False):
            k = grid.file.benchmarks[benchmark].samples
            row = {"setting": " · ".join(key[:3]), "question_set": benchmark, "k": k}
            for name, metric, at in (
                ("greedy", "greedy_accuracy", None),
                ("mean", "pass_at_k", 1),
                ("majority", "majority_at_k", k),
                ("best", "pass_at_k", k),
            ):
                some = part[(part["metric"] == metric) & (True if at is None else part["k"] == at)]
                for when, step in (("before", 0), ("after", part["step"].max())):
                    shown = points(some[some["step"] == step], runs)
                    texts = [interval(p["estimate"], p["low"], p["high"]) for p in shown]
                    row[f"{name}_{when}"] = "; ".join(dict.fromkeys(texts))
            rows.append(row)
    return rows


def gains(tables: Mapping[str, pd.DataFrame]) -> list[dict]:
    """Gains of each run, and of each setting over its seeds."""
    table = tables["gains"]
    table = table[table["scorer"] == DEFAULT_RULE]
    names = {"greedy_accuracy": "pass@1 (greedy)", "pass_at_k": "mean accuracy of samples"}
    return [
        {
            "setting": f"{row.mixture} · {row.scale} · {row.algorithm}",
            "seed": f"{row.n_seeds} seeds together" if pd.isna(row.id) else f"seeds {row.model_seed} / {row.run_seed}",
            "question_set": row.question_set,
            "metric": names[row.metric],
            "base": row.base,
            "final": row.final,
            "gain": interval(row.estimate, row.low, row.high, signed=True),
            "decided": bool(row.low > 0 or row.high < 0),
            "questions": row.n_questions,
            "together": bool(pd.isna(row.id)),
        }
        for row in table.itertuples()
    ]


def audit(tables: Mapping[str, pd.DataFrame]) -> list[dict]:
    """Reward beside right steps of each run that compares them: at its start, at its end, and where they parted."""
    training = tables["training"]
    if "reward_minus_right_steps" not in training:
        return []
    rows = []
    for _, log in training[training["reward_minus_right_steps"].notna()].groupby("id", sort=False):
        log = log.sort_values("step")
        window = max(1, min(WINDOW, len(log) // 2))
        ends = {name: log[name].to_numpy(dtype=float) for name in ("reward_mean", "right_steps_mean")}
        first, warned = log.iloc[0], log[log["audit_warning"] == 1]
        rows.append(
            {
                "setting": f"{first['mixture']} · {first['scale']} · {first['algorithm']}",
                "seeds": f"{first['model_seed']:g} / {first['run_seed']:g}",
                "reward": [ends["reward_mean"][:window].mean(), ends["reward_mean"][-window:].mean()],
                "right_steps": [ends["right_steps_mean"][:window].mean(), ends["right_steps_mean"][-window:].mean()],
                "parted": int(warned["step"].iloc[0]) if len(warned) else None,
            }
        )
    return rows


def decomposition(tables: Mapping[str, pd.DataFrame]) -> list[dict]:
    """Parts of the gain in mean accuracy: over seeds where there are several, else of the one run."""
    table = tables["decomposition"]
    table = table[table["format"].isna()]
    rows = []
    for key, part in _by_setting(table):
        numbers = part.set_index("part")
        row = {
            name: interval(*numbers.loc[name, ["estimate", "low", "high"]], signed=True) for name in (*PARTS, "total")
        }
        rows.append(row | key)
    return rows


def coverage(tables: Mapping[str, pd.DataFrame]) -> list[dict]:
    """Questions gained and lost, and where the base model's pass@k catches up."""
    rows = []
    for key, part in _by_setting(tables["coverage"]):
        numbers = part.set_index("measure")
        row: dict = {name: interval(*numbers.loc[name, ["estimate", "low", "high"]]) for name in ("gained", "lost")}
        row |= {
            "k": int(numbers.loc["gained", "k"]),
            "crossing": crossing(*numbers.loc["crossing", ["estimate", "low", "high"]]),
        }
        rows.append(row | key)
    return rows


def crossing(estimate: float, low: float, high: float) -> str:
    """2.2 [1.0, 4.5]; "none" for a k beyond the number of samples."""
    words = ["none" if np.isinf(value) else f"{value:.1f}" for value in (estimate, low, high)]
    return words[0] if pd.isna(low) else f"{words[0]} [{words[1]}, {words[2]}]"


def theory(tables: Mapping[str, pd.DataFrame]) -> list[dict]:
    """Predicted and measured shares on the RL prompts, the mean over the runs of a setting, and the error."""
    rows = []
    for key, part in tables["theory"].groupby(SETTING, dropna=False, sort=False):
        mean = part.groupby(["measure", "format"], sort=False)["estimate"].mean()
        shown = {name: mean.get(name) for name in ("base", "corrected", "measured")}
        error, movement = part[part["measure"] == "error"], part[part["measure"] == "movement"]
        first = part.iloc[0]
        names = {"tilt": "exp(r / coefficient)", "k3": "k3", "limit": "right answers only"}
        law, beta = names.get(first["law"], first["law"]), 0.0 if pd.isna(first["beta"]) else first["beta"]
        bias = float(mean["bias"].abs().max()) if "bias" in mean else float("nan")
        rows.append(
            {"setting": " · ".join(key[:3]), "law": law, "beta": beta, "reason": first["reason"]}
            | {name: "" if shares is None else _shares(shares) for name, shares in shown.items()}
            | {"bias": bias, "movement": movement["estimate"].mean()}
            | {"error": "; ".join(interval(*row) for row in error[["estimate", "low", "high"]].itertuples(index=False))}
        )
    return rows


def dynamics(tables: Mapping[str, pd.DataFrame]) -> list[dict]:
    """What the mean fields foretell of each run, and what it did."""
    rows = []
    for id, part in tables["outcomes"].groupby("id", sort=False):
        measured = part[part["field"].isna()].set_index("measure")
        for (kind, scope), mine in part[part["field"].notna()].groupby(["field", "scope"], sort=False):
            numbers = mine[~mine["measure"].str.endswith("by_drift")].set_index("measure")
            rows.append(
                {"id": id, "field": kind, "scope": scope, "fitted": bool(mine["fitted"].astype(bool).any())}
                | {"error": interval(*numbers.loc["error", ["estimate", "low", "high"]])}
                | {"foretold": numbers.loc["winner_share", "format"], "winner": measured.loc["winner_share", "format"]}
                | {"dominance_foretold": number(numbers.loc["steps_to_dominance", "estimate"], 0)}
                | {"dominance": number(measured.loc["steps_to_dominance", "estimate"], 0)}
            )
    return rows


def selection(tables: Mapping[str, pd.DataFrame]) -> list[dict]:
    """Hits of each rule, by base model."""
    rows = tables["selection"].to_dict("records")
    return [row | {"share": interval(row["estimate"], row["low"], row["high"])} for row in rows]


def drift(tables: Mapping[str, pd.DataFrame]) -> dict | None:
    """Measured over predicted variance of the neutral twins; None where there are none."""
    rows = tables["drift"]
    rows = rows[rows["measure"] == "ratio"]
    if rows.empty:
        return None
    row = rows.iloc[0]
    return {"ratio": interval(row["estimate"], row["low"], row["high"]), "n_seeds": int(row["n_seeds"])}


def power(tables: Mapping[str, pd.DataFrame]) -> list[dict]:
    """The smallest effects that each study can show."""
    columns = ("within_a_run", "over_seeds", "wins")
    return [row | {name: effect(row[name]) for name in columns} for row in tables["power"].to_dict("records")]


def styles(tables: Mapping[str, pd.DataFrame]) -> list[dict]:
    """Variants inside the format that each setting ends with, before and after RL; styles without a choice left out."""
    rows = []
    table = tables["styles"]
    for key, part in table.groupby([*SETTING, "question_set"], dropna=False, sort=False):
        last = part["step"].max()
        name = part[part["step"] == last].groupby("format")["n_samples"].sum().idxmax()
        inside = part[part["format"] == name]
        for style, of_style in inside.groupby("style", sort=False):
            means = of_style.groupby(["step", "variant"])["estimate"].mean().unstack()
            if 0 not in means.index or (style != LENGTH and means.loc[[0, last]].max().max() > 0.99):
                continue
            row = {"setting": " · ".join(key[:3]), "question_set": key[-1], "format": name, "style": style}
            say = _tokens if style == LENGTH else _shares
            rows.append(row | {"before": say(means.loc[0]), "after": say(means.loc[last])})
    return rows


def errors(tables: Mapping[str, pd.DataFrame]) -> list[dict]:
    """Shares of the kinds of errors among the wrong answers, before and after RL, by rule."""
    table = tables["errors"]
    return _kinds(table[table["among"] == "wrong"])


def judged(tables: Mapping[str, pd.DataFrame]) -> list[dict]:
    """The same by the judge; [] if there is none."""
    return _kinds(tables["judged"]) if "judged" in tables else []


def judged_pairs(tables: Mapping[str, pd.DataFrame]) -> list[dict]:
    """Kinds of errors of answers that became right, by the judge; [] if there is none, or it read none."""
    if "judged_pairs" not in tables:
        return []
    return [
        key | {"category": row.category, "pairs": row.n_questions, "share": interval(row.estimate, row.low, row.high)}
        for key, part in _by_setting(tables["judged_pairs"])
        for row in part.itertuples()
        if row.estimate > 0
    ]


def _kinds(table: pd.DataFrame) -> list[dict]:
    """One row for each kind that occurs in a setting."""
    rows = []
    for key, part in _by_setting(table):
        last = part["step"].max()
        for category, of_kind in part.groupby("category", sort=False):
            ends = of_kind.set_index("step")[["estimate", "low", "high"]]
            if ends["estimate"].max() >= 0.005:
                before, after = (interval(*ends.loc[step]) if step in ends.index else NOTHING for step in (0, last))
                rows.append(key | {"category": category, "before": before, "after": after})
    return rows


def process(tables: Mapping[str, pd.DataFrame]) -> list[dict]:
    """pass@1 and pass@k by all right answers and by right steps, and the chance rate, before and after RL."""
    rows = []
    for key, part in _by_setting(tables["process"]):
        k = int(part["k"].max())
        part = part[part["format"].isna()]
        row: dict = key | {"k": k}
        for measure in ("pass_at_k", "pass_at_k_by_right_steps", "chance_at_k"):
            for at, name in ((1, "one"), (k, "most")):
                here = part[(part["measure"] == measure) & (part["k"] == at)].sort_values("step")
                texts = [interval(*e) for e in here[["estimate", "low", "high"]].itertuples(index=False)]
                row[f"{measure}_{name}"] = list(dict.fromkeys(texts)) if measure == "chance_at_k" else texts
        rows.append(row)
    return rows


def wrong(tables: Mapping[str, pd.DataFrame]) -> list[dict]:
    """A wrong completion of each kind for the first run of each setting, on its first question set."""
    rows = []
    table = tables["error_examples"]
    table = table.astype(object).where(table.notna(), None)
    for key, runs in settings(tables):
        mine = table[table["id"] == runs["id"].iloc[0]]
        if len(mine):
            mine = mine[mine["question_set"] == mine["question_set"].iloc[0]]
            sides = {stage: mine[mine["stage"] == stage].to_dict("records") for stage in ("base", "final")}
            rows.append({"setting": " · ".join(key[:3]), "id": runs["id"].iloc[0]} | sides)
    return rows


def _tokens(means: pd.Series) -> str:
    return f"{means.iloc[0]:.0f}{SPACE}tokens"


def _shares(shares: pd.Series) -> str:
    return ", ".join(f"{name}{SPACE}{percent(value)}" for name, value in shares.items() if value >= 0.005)


def _by_setting(table: pd.DataFrame) -> list[tuple[dict, pd.DataFrame]]:
    """The pooled rows of each setting and question set, or those of its single run."""
    groups = []
    for key, part in table.groupby([*SETTING, "question_set"], dropna=False, sort=False):
        pooled = part[part["id"].isna()]
        chosen = pooled if len(pooled) else part
        axes = {"setting": " · ".join(key[:3]), "question_set": key[-1], "seeds": int(chosen["n_seeds"].iloc[0])}
        groups.append((axes, chosen))
    return groups
