"""report.html: one page that says what was asked, what was done and what was found. No network, nothing outside it.

Every number comes from a table, every picture from a figure file; this module only puts them into words and order.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from echochamber.analysis.claims.thresholds import thresholds, thresholds_sha256
from echochamber.figures import DOTS_PER_INCH
from echochamber.formats import DEFAULT_RULE, FORMATS
from echochamber.grid import registration
from echochamber.grid.expansion import Grid, dump
from echochamber.printable import shown
from echochamber.report import report_facts as facts
from echochamber.report import report_tables
from echochamber.report.report_tables import SETTING, SPACE, big, effect, interval, number, percent, settings
from echochamber.rl.audit import LIMIT
from echochamber.rl.mismatch import LIMITS
from echochamber.settings import CLAIMS
from echochamber.settings.roles import own_benchmark

SHOWN = 0.015
"""Formats below this share are left out of sentences."""


def render(grid: Grid, tables: Mapping[str, pd.DataFrame], claims: pd.DataFrame) -> str:
    """The page as HTML. tables: as `analysis.tables.tables.read` gives them; claims: as `claims.evaluate`.

    Reads figures, question sets, mixtures and provenance of the grid; what is missing of them is left out.
    """
    environment = Environment(
        loader=PackageLoader("echochamber", "report"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "percent": percent, "big": big, "effect": effect, "shown": shown}
    outcomes = [outcome(grid, tables, part) for _, part in settings(tables)]
    named = claims[~claims["claim"].str.contains(".", regex=False)]
    return environment.get_template("report.html.j2").render(
        file=grid.file,
        settings_of_grid=yaml.safe_dump(dump(grid.file), sort_keys=False, allow_unicode=True, width=110),
        formats=facts.FORMATS_IN_WORDS,
        question_sets=facts.question_sets(grid),
        sources=facts.sources(grid),
        mixtures=facts.mixtures(grid),
        models=facts.models(grid, dict(tables)),
        algorithms=facts.algorithms(grid),
        machine=facts.machine(grid),
        outcomes=outcomes,
        summary=summary(outcomes),
        studies=[_study(grid, name) for name in grid.file.studies],
        scores=report_tables.scores(grid, tables),
        gains=report_tables.gains(tables),
        audit=report_tables.audit(tables),
        audit_limit=LIMIT,
        mismatch=facts.mismatch(grid, tables),
        mismatch_limits=LIMITS,
        parts=report_tables.decomposition(tables),
        coverage=report_tables.coverage(tables),
        theory=report_tables.theory(tables),
        styles=report_tables.styles(tables),
        errors=report_tables.errors(tables),
        judged=report_tables.judged(tables) if grid.file.judge else [],
        process=report_tables.process(tables),
        wrong=report_tables.wrong(tables),
        claims=claims.astype(object).where(claims.notna(), None).to_dict("records"),
        counts={v: int((named["verdict"] == v).sum()) for v in ("holds", "fails", "inconclusive", "not in this grid")},
        claims_in_all=len(CLAIMS),
        rows_in_all=len(named),
        power=report_tables.power(tables),
        dynamics=report_tables.dynamics(tables),
        selection=report_tables.selection(tables),
        drift=report_tables.drift(tables),
        rules=thresholds(),
        thresholds_sha256=thresholds_sha256(),
        registered=registration.in_words(grid.file, thresholds_sha256()),
        samples=_samples(tables),
        seeds=_seeds(grid),
    )


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
    for axis in SETTING[:-1]:
        mine = mine[mine[axis] == first[axis]]
    mine = mine[mine["base_step"].isin(gains.loc[gains["id"].isin(runs["id"]), "base_step"])]
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


def _study(grid: Grid, name: str) -> dict:
    study = grid.file.studies[name]
    figures = []
    for kind in study.figures:
        stem = grid.paths.figures / f"{name}-{kind}"
        image, caption = stem.with_name(stem.name + ".png"), stem.with_name(stem.name + ".caption.txt")
        if image.exists():
            words = caption.read_text(encoding="utf-8").strip() if caption.exists() else ""
            figures.append(
                {"name": stem.name, "kind": kind, "uri": data_uri(image), "caption": words, "width": width(image)}
            )
    return {
        "name": name,
        "title": study.title,
        "figures": figures,
        "models": len(grid.study_models(study)),
        "runs": len(grid.study_runs(study)),
        "claims": study.claims,
    }


def width(path: Path) -> int:
    """Width in CSS pixels at which a PNG file's text has the size of a caption: 105 pixels for an inch."""
    pixels = int.from_bytes(path.read_bytes()[16:20], "big")  # the header's first number
    return round(105 * pixels / DOTS_PER_INCH)


def data_uri(path: Path) -> str:
    """A PNG file as a data URI."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")


def _samples(tables: Mapping[str, pd.DataFrame]) -> list[dict]:
    """Completions of the first run of each setting: one entry a setting, question by question, before and after."""
    entries = []
    table = tables["samples"]
    for key, runs in settings(tables):
        mine = table[table["id"] == runs["id"].iloc[0]]
        questions = []
        for _, part in mine.groupby("question_id", sort=False):
            sides = {}
            for stage in ("base", "final"):
                side = part[part["stage"] == stage]
                order = side["format"].map({name: i for i, name in enumerate(FORMATS)})
                sides[stage] = side.assign(order=order).sort_values("order").to_dict("records")
            first = part.iloc[0]
            questions.append({"text": first["question"], "gold": first["gold"]} | sides)
        if questions:
            entries.append({"setting": " · ".join(key[:3]), "id": runs["id"].iloc[0], "questions": questions})
    return entries


def _seeds(grid: Grid) -> str:
    models = sorted({m.seed for m in grid.trained_models.values()})
    runs = sorted({run.seed for run in grid.runs.values()})
    return f"pretraining seeds {', '.join(map(str, models)) or 'none'}; RL seeds {', '.join(map(str, runs)) or 'none'}"
