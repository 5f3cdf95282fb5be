"""The figures as plots that answer: the numbers of a figure's CSV file, told apart into panels and series.

The page draws them with uPlot; the same numbers stand in the PDF and PNG. What is drawn where follows the figure's own
module.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from echochamber.figures.palette import DASHES, FORMAT_COLOURS, FORMAT_MARKERS, MARKERS, SERIES
from echochamber.report.looks import LINES

MOST_POINTS = 120
"""Of a series: of more, every so-manieth is kept, the last always."""
COMPLETIONS = "completions sampled in RL"
BASE, AFTER = "base model", "after RL"
METRICS = {
    "share": "share of completions",
    "accuracy_within_format": "accuracy within format",
    "greedy_accuracy": "pass@1 (greedy)",
    "total_variation": "shift of shares (total variation)",
    "reward_mean": "mean reward (training prompts)",
    "kl": "KL from the base model (nats per completion)",
    "published": "published by the paper",
}
UNIT = frozenset({"kl", "published", "gain"})
"""Measures that do not lie in [0, 1]."""
Rows = pd.DataFrame
"""Columns panel, y, unit (whether y lies in [0, 1]), series, format (or ""), hue (what has one colour, where that is no
format), open (whether the mark is hollow), dash, seed, x, estimate, low, high."""


def plot(kind: str, csv: Path) -> dict[str, Any] | None:
    """What the page draws of one figure; None without a file of numbers.

    Returns: `x` (its `scale`: completions, log, share or names; label; ticks), `panels`, `key` (how each series looks).
    """
    if not csv.exists():
        return None
    data = pd.read_csv(csv)
    if data.empty:
        return None
    x, rows = KINDS[kind](data)
    rows = rows[rows["estimate"].notna() & rows["x"].notna()]
    names = list(dict.fromkeys(rows["series"]))
    first = {name: rows[rows["series"] == name].iloc[0] for name in names}
    others = [name for name in names if first[name]["format"] not in FORMAT_COLOURS]
    free = [mark for mark in MARKERS if len(others) == len(names) or mark not in FORMAT_MARKERS.values()]
    hues = list(dict.fromkeys(first[name]["hue"] for name in others))
    looks = {name: _look(first[name], hues.index(first[name]["hue"]) if name in others else 0, free) for name in names}
    panels = []
    for (title, y), part in rows.groupby(["panel", "y"], sort=False):
        series = [
            {"series": name, "seed": _seed(seed), "points": _points(some)}
            for (name, seed), some in part.groupby(["series", "seed"], sort=False, dropna=False)
        ]
        panels.append({"title": title, "y": y, "unit": bool(part["unit"].all()), "series": series})
    return {"x": x, "panels": panels, "key": [{"series": name, **looks[name]} for name in names]}


def _look(row: pd.Series, i: int, marks: list[str]) -> dict[str, Any]:
    """The format's own colour and mark, or those of the i-th of several things; a mark of lines is hollow as a plus."""
    format = row["format"] if row["format"] in FORMAT_COLOURS else ""
    dash = row["dash"] if isinstance(row["dash"], list) else []
    marker = FORMAT_MARKERS[format] if format else marks[i % len(marks)]
    return {
        "colour": FORMAT_COLOURS[format] if format else SERIES[i % len(SERIES)],
        "marker": "+" if row["open"] and marker in LINES else marker,
        "open": bool(row["open"]),
        "dash": dash or ([] if format else _dash(i)),
    }


def _seed(seed: Any) -> str:
    if pd.isna(seed) or seed == "":
        return ""
    return f"{seed:g}" if isinstance(seed, float) else str(seed)


def _dash(i: int) -> list[int]:
    named = {"-": [], "--": [6, 4], "-.": [6, 3, 1, 3], ":": [1, 3]}
    style = DASHES[i % len(DASHES)]
    return named[style] if isinstance(style, str) else [int(2 * length) for length in style[1]]


def _points(rows: Rows) -> list[list[float | None]]:
    """[x, estimate, low, high] in the order of x, with four digits."""
    rows = rows.sort_values("x")
    every = -(-len(rows) // MOST_POINTS)
    kept = rows.iloc[sorted({*range(0, len(rows), every), len(rows) - 1})]
    return [
        [None if pd.isna(value) else float(f"{value:.4g}") for value in point]
        for point in kept[["x", "estimate", "low", "high"]].astype(float).itertuples(index=False)
    ]


def _rows(data: pd.DataFrame, **columns: Any) -> Rows:
    """The columns of `Rows`, those that are not given at their usual values."""
    usual = {"unit": True, "format": "", "open": False, "dash": None, "seed": ""}
    seeds = {"seed": data["seed"]} if "seed" in data else {}
    rows = data.assign(**(usual | seeds | columns))
    rows["series"] = rows["series"].astype(str)
    return rows if "hue" in columns else rows.assign(hue=rows["series"])


def _condition(data: pd.DataFrame, *without: str) -> pd.Series:
    axes = [axis for axis in ("mixture", "scale", "algorithm") if axis not in without]
    return data[axes].astype(str).agg(" · ".join, axis=1)


def _measure(data: pd.DataFrame, column: str = "metric") -> pd.Series:
    """`pass@16`, `share of completions`, ..."""
    ks = data["k"] if "k" in data else pd.Series(float("nan"), index=data.index)

    def words(name: str, k: float) -> str:
        if name in ("pass_at_k", "majority_at_k"):
            return f"{name.split('_')[0]}@{k:g}" if k == k else "mean accuracy of samples"
        return METRICS.get(name, name)

    return pd.Series([words(*row) for row in zip(data[column], ks, strict=True)], index=data.index)


def _over_completions() -> dict[str, Any]:
    return {"scale": "completions", "label": COMPLETIONS, "ticks": []}


def _names(values: pd.Series, label: str) -> tuple[dict[str, Any], pd.Series]:
    """An axis of names in their order, and where each row is on it."""
    names = list(dict.fromkeys(values.astype(str)))
    ticks = [[i, name] for i, name in enumerate(names)]
    return {"scale": "names", "label": label, "ticks": ticks}, values.astype(str).map(names.index)


def _formats(data: pd.DataFrame) -> tuple[dict[str, Any], Rows]:
    rows = _rows(data, panel=_condition(data), y=_measure(data), series=data["format"], x=data["completions_sampled"])
    return _over_completions(), rows.assign(format=data["format"])


def _passk(data: pd.DataFrame) -> tuple[dict[str, Any], Rows]:
    y = "share of questions"
    return _over_completions(), _rows(
        data, panel=_condition(data), y=y, series=_measure(data), x=data["completions_sampled"]
    )


def _algorithms(data: pd.DataFrame) -> tuple[dict[str, Any], Rows]:
    return _over_completions(), _rows(
        data,
        panel=_condition(data, "algorithm"),
        y=_measure(data),
        series=data["algorithm"],
        x=data["completions_sampled"],
    )


def _dynamics(data: pd.DataFrame) -> tuple[dict[str, Any], Rows]:
    scopes = {"pooled": "share, questions pooled", "question": "share, question by question"}
    axes = ["mixture", "scale", "algorithm", "prompts", "format", "step"]
    drift = data[data["measure"] == "drift"].set_index([*axes, "scope", "field"])[["low", "high"]]
    predicted = data[data["measure"] == "predicted"].drop(columns=["low", "high"])
    predicted = predicted.join(drift[~drift.index.duplicated()], on=[*axes, "scope", "field"])
    measured = data[data["measure"] == "measured"]
    parts = [measured.assign(scope=scope) for scope in scopes] + [predicted]
    rows = pd.concat(parts, ignore_index=True)
    fields = rows["field"].fillna("measured")
    dashes = {"measured": [0, 1], "natural": [], "softmax": [6, 4]}
    series = rows["format"] + fields.map(lambda field: ", measured" if field == "measured" else f", {field} gradient")
    y, x = rows["scope"].map(scopes), rows["completions_sampled"]
    drawn = _rows(rows, panel=_condition(rows), y=y, series=series, x=x)
    drawn = drawn.assign(format=rows["format"], dash=[dashes[field] or [1, 0] for field in fields])
    return _over_completions(), drawn


def _kl(data: pd.DataFrame) -> tuple[dict[str, Any], Rows]:
    coefficients = sorted(data["coefficient"].dropna().unique())
    ticks = [[0, BASE], *([i, f"{value:g}"] for i, value in enumerate(coefficients, start=1))]
    at = data["x"].where(
        data["metric"] != "kl", data["coefficient"].map(lambda c: 1 + coefficients.index(c) if c == c else 0)
    )
    y = data["metric"].map({"share": METRICS["share"], "kl": METRICS["kl"]}).fillna("share of questions")
    series = data["format"].where(data["format"].notna(), _measure(data))
    rows = _rows(data, panel=_condition(data, "algorithm"), y=y, series=series, x=at)
    rows = rows.assign(format=data["format"].fillna(""), unit=~data["metric"].isin(UNIT))
    return {"scale": "names", "label": "KL coefficient", "ticks": ticks}, rows


def _ends(data: pd.DataFrame) -> pd.Series:
    return data["step"].map(lambda step: BASE if step == 0 else AFTER)


def _with_format(data: pd.DataFrame, words: pd.Series) -> pd.Series:
    """`tinygsm, after RL`, or the words alone where no format is meant."""
    return (data["format"] + ", " + words).where(data["format"].notna(), words)


def _mixtures(data: pd.DataFrame) -> tuple[dict[str, Any], Rows]:
    x, at = _names(data["mixture"], "mixture")
    ends = _ends(data)
    rows = _rows(data, panel=_condition(data, "mixture"), y=_measure(data), series=_with_format(data, ends), x=at)
    return x, rows.assign(format=data["format"].fillna(""), open=ends == BASE)


def _scales(data: pd.DataFrame) -> tuple[dict[str, Any], Rows]:
    named = data.drop_duplicates("parameters").sort_values("parameters")
    ticks = [[int(row.parameters), row.scale] for row in named.itertuples()]
    ends = _ends(data)
    rows = _rows(
        data, panel=_condition(data, "scale"), y=_measure(data), series=_with_format(data, ends), x=data["parameters"]
    )
    dashes = [[6, 4] if end == BASE else [1, 0] for end in ends]
    rows = rows.assign(format=data["format"].fillna(""), open=ends == BASE, dash=dashes)
    return {"scale": "log", "label": "parameters without embeddings", "ticks": ticks}, rows


def _transfer(data: pd.DataFrame) -> tuple[dict[str, Any], Rows]:
    axes = [a for a in ("mixture", "scale", "algorithm") if data[a].nunique() > 1] or ["algorithm"]
    x, at = _names(data[axes].agg(" · ".join, axis=1), "")
    series = data["metric"].map({"pass_at_k": "mean accuracy of samples"}).fillna(_measure(data))
    y = "gain in accuracy over the base model"
    return x, _rows(data, panel=data["question_set"], y=y, series=series, x=at, unit=False)


def _errors(data: pd.DataFrame) -> tuple[dict[str, Any], Rows]:
    x, at = _names(data["category"], "")
    rows = _rows(data, panel=_condition(data), y="share of wrong answers", series=data["stage"], x=at)
    return x, rows.assign(open=data["stage"] == BASE)


def _process(data: pd.DataFrame) -> tuple[dict[str, Any], Rows]:
    ticks = [[int(k), str(int(k))] for k in sorted(data["k"].unique())]
    words = data["measure"].map({"pass_at_k": "right answers", "pass_at_k_by_right_steps": "right steps"})
    rows = _rows(data, panel=_condition(data), y="pass@k", series=_ends(data) + ", " + words, x=data["k"])
    return {"scale": "log", "label": "k", "ticks": ticks}, rows.assign(open=data["step"] == 0)


def _trajectories(data: pd.DataFrame) -> tuple[dict[str, Any], Rows]:
    of_format = data["format"].notna()
    y = pd.Series("share of questions", index=data.index).mask(of_format, METRICS["share"])
    panel = "KL " + data["coefficient"].map("{:g}".format) + " · " + _condition(data, "algorithm")
    series = data["format"].where(of_format, _measure(data))
    rows = _rows(data, panel=panel, y=y, series=series, x=data["completions_sampled"])
    return _over_completions(), rows.assign(format=data["format"].fillna(""))


def _styles(data: pd.DataFrame) -> tuple[dict[str, Any], Rows]:
    kind = data["style"].replace("twin", "neutral twin")
    y = "share of " + data["format"]
    rows = _rows(
        data, panel=kind + " · " + _condition(data), y=y, series=data["variant"], x=data["completions_sampled"]
    )
    return _over_completions(), rows.assign(format="")


def _bases(data: pd.DataFrame) -> tuple[dict[str, Any], Rows]:
    x, at = _names(data["mixture"], "mixture")
    panel = data["question_set"] + " · " + data["scale"]
    rows = _rows(data, panel=panel, y=_measure(data), series=_with_format(data, data["origin"]), x=at)
    return x, rows.assign(
        format=data["format"].fillna(""), open=data["origin"] == "imported", seed=data["model_seed"].fillna("")
    )


def _benchmarks(data: pd.DataFrame) -> tuple[dict[str, Any], Rows]:
    if "published" in data:
        axes = ["question_set", "mixture", "scale", "algorithm", "stage", "metric", "k"]
        known = data[data["published"].notna()].drop_duplicates(axes)
        known = known.assign(estimate=known["published"], low=np.nan, high=np.nan, metric="published")
        data = pd.concat([data, known], ignore_index=True)
    x, at = _names(_condition(data), "")
    ends = data["stage"].map({"before": BASE, "after": AFTER})
    words = {"greedy_accuracy": METRICS["greedy_accuracy"], "majority_at_k": "majority@k", "pass_at_k": "pass@k"}
    words |= {"published": METRICS["published"]}
    series = data["metric"].map(words) + ", " + ends
    rows = _rows(data, panel=data["question_set"], y="share of questions", series=series, x=at)
    return x, rows.assign(open=ends == BASE)


def _stationary(data: pd.DataFrame) -> tuple[dict[str, Any], Rows]:
    x, at = _names(_condition(data), "")
    words = {"base": BASE, "corrected": "predicted", "measured": "end of RL", "error": "theory"}
    words |= {"error_base": "base model's shares", "error_limit": "share x accuracy"}
    words |= {"error_neighbour": "neighbouring coefficient"}
    of_format, said = data["format"].notna(), data["measure"].map(words)
    y = pd.Series("root mean square error of the shares", index=data.index).mask(of_format, METRICS["share"])
    panel = said.where(of_format, "what foretells them") + " · RL prompts"
    rows = _rows(data, panel=panel, y=y, series=data["format"].where(of_format, said), x=at)
    return x, rows.assign(format=data["format"].fillna(""))


def _map(data: pd.DataFrame) -> tuple[dict[str, Any], Rows]:
    ticks = [[at, f"{at:g}"] for at in (0, 0.25, 0.5, 0.75, 1)]
    panel = data["first"] + " or " + data["second"] + " · " + data["scale"] + " · " + data["algorithm"]
    x = {"scale": "share", "label": "share of the first format among both", "ticks": ticks}
    y = "accuracy within the first format less that within the second"
    rows = _rows(data, panel=panel, y=y, series=data["winner"] + " won", x=data["share_of_both"], unit=False)
    gap = data["accuracy_gap"]
    dots = [[0, 1]] * len(data)
    return x, rows.assign(format=data["winner"], seed="", dash=dots, estimate=gap, low=None, high=None)


def _forecast(data: pd.DataFrame) -> tuple[dict[str, Any], Rows]:
    x, at = _names(data["mixture"], "mixture")
    y = "foretold probability that " + data["first"] + " wins"
    panel = data["forecaster"] + " · " + _condition(data, "mixture")
    rows = _rows(data, panel=panel, y=y, series=data["winner"] + " won", x=at)
    return x, rows.assign(format=data["winner"], estimate=data["probability_of_first"], low=None, high=None)


def _behaviours(data: pd.DataFrame) -> tuple[dict[str, Any], Rows]:
    foretold = data["metric"] == "foretold share"
    y = data["metric"].map({"accuracy": "accuracy of those"}).fillna(METRICS["share"])
    series = data["label"] + foretold.map({True: ", foretold", False: ""})
    panel = data["behaviour"] + " · " + _condition(data)
    rows = _rows(data, panel=panel, y=y, series=series, hue=data["label"], x=data["completions_sampled"])
    formats = (data["behaviour"] == "formats") & data["label"].isin(list(FORMAT_COLOURS))
    dashes = [[3, 6] if said else None for said in foretold]
    return _over_completions(), rows.assign(format=data["label"].where(formats, ""), open=foretold, dash=dashes)


def _amplified(data: pd.DataFrame) -> tuple[dict[str, Any], Rows]:
    x, at = _names(_condition(data), "")
    series = data["measure"].map({"base": BASE, "foretold": "foretold", "measured": AFTER})
    panel = data["behaviour"] + ": " + data["label"]
    rows = _rows(data, panel=panel, y=METRICS["share"], series=series, x=at)
    return x, rows.assign(open=data["measure"] != "measured")


KINDS: dict[str, Callable[[pd.DataFrame], tuple[dict[str, Any], Rows]]] = {
    "formats": _formats,
    "passk": _passk,
    "algorithms": _algorithms,
    "dynamics": _dynamics,
    "kl": _kl,
    "mixtures": _mixtures,
    "scales": _scales,
    "transfer": _transfer,
    "errors": _errors,
    "process": _process,
    "trajectories": _trajectories,
    "styles": _styles,
    "bases": _bases,
    "benchmarks": _benchmarks,
    "stationary": _stationary,
    "map": _map,
    "forecast": _forecast,
    "behaviours": _behaviours,
    "amplified": _amplified,
}
"""Kind of figure -> its axis and rows."""
