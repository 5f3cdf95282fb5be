"""What the report says about the world, the settings and the machine: rows of words and numbers, no layout."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from echochamber.algorithms import rewards
from echochamber.analysis.studies import parameters
from echochamber.corpora.documents import Question
from echochamber.corpora.synthetic import chance_rate
from echochamber.formats import BY_LABEL
from echochamber.grid.expansion import Grid
from echochamber.jobs import closure
from echochamber.jobs.files import read_json_lines
from echochamber.rl.mismatch import COLUMNS, exceeds
from echochamber.settings import (
    Algorithm,
    ExpertIteration,
    HubQuestions,
    HubSource,
    LocalQuestions,
    LocalSource,
    Source,
)
from echochamber.settings.roles import role

Row = dict[str, object]

FORMATS_IN_WORDS = {name: form.words for name, form in BY_LABEL.items()}


def question_sets(grid: Grid) -> list[Row]:
    """One row for each benchmark: what it asks, how many, and what a blind guess earns."""
    rows = []
    for name in dict.fromkeys(benchmark for _, benchmark in grid.evaluations):
        settings = grid.file.benchmarks[name]
        about = grid.file.question_sets[settings.questions]
        path = grid.paths.questions(settings.questions, "test")
        asked = [Question(**row) for row in read_json_lines(path)][: settings.count] if path.exists() else []
        if about.kind == "synthetic":
            low, high = about.problems.steps
            numbers = "{} to {}".format(*about.problems.numbers)
            there = settings.count or about.test
            words = f"synthetic, family {about.problems.family}, {low} to {high} steps, numbers {numbers}"
        else:
            words, there = _of_files(about, "benchmark"), settings.count
        decoding = f"{settings.samples} samples at temperature {settings.temperature:g}, top_p {settings.top_p:g}"
        rows.append(
            {
                "name": name,
                "what": words,
                "role": role(grid.file, name),
                "questions": len(asked) or there,
                "decoding": decoding,
            }
            | {"chance": chance_rate(asked) if asked else None, "example": asked[0].question if asked else ""}
            | {"gold": asked[0].answer if asked else ""}
        )
    return rows


def sources(grid: Grid) -> list[Row]:
    """One row for each source that a mixture holds."""
    return [
        {"name": name, "what": _source(grid.file.corpora[name]), "background": name in grid.file.background}
        for name in grid.corpora
    ]


def _source(settings: Source) -> str:
    if settings.kind != "synthetic":
        return _of_files(settings, "corpus")
    background = {"arithmetic_prose": "arithmetic in prose, no questions", "small_code": "small programs, no questions"}
    low, high = settings.problems.steps
    solutions = f"{settings.problems.family} questions of {low} to {high} steps, solutions written as {settings.style}"
    words = [background.get(settings.style, solutions), f"{settings.documents:,} documents"]
    if settings.wrong:
        words.append(f"{settings.wrong:.0%} of the solutions wrong")
    if settings.systematic:
        words.append(f"always wrong on {', '.join(settings.systematic)}")
    return "; ".join(words)


def _of_files(settings: HubSource | LocalSource | HubQuestions | LocalQuestions, what: str) -> str:
    if settings.kind == "local":
        return f"own {what}"
    return f"public {what} {settings.dataset}" if settings.dataset else f"{settings.repository} of the hub"


def mixtures(grid: Grid) -> list[Row]:
    """One row for each mixture: passes over its sources, tokens, share of background."""
    rows = []
    for name in grid.mixtures:
        path = grid.paths.mixture(name)
        manifest = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        shares = {source: part["share"] for source, part in manifest.get("sources", {}).items()}
        parts = [
            f"{passes}x {source}" + (f" ({shares[source]:.0%} of tokens)" if source in shares else "")
            for source, passes in grid.passes(name).items()
        ]
        rows.append(
            {"name": name, "parts": ", ".join(parts), "tokens": manifest.get("tokens")}
            | {"background": manifest.get("background_share")}
        )
    return rows


def models(grid: Grid, tables: dict[str, pd.DataFrame]) -> list[Row]:
    """One row for each model: its size, what it was trained on, its last held-out loss, seconds."""
    training = tables["training"]
    rows = []
    for id, model in grid.models.items():
        row: Row = {"id": id, "mixture": model.mixture or "imported", "scale": model.scale or "", "seed": model.seed}
        if model.scale:
            scale = grid.file.scales[model.scale]
            row["shape"] = f"{scale.layers} layers of {scale.width}, {scale.heads} heads"
            row["parameters"] = parameters(scale)
        log = training[training["id"] == id]
        if len(log):
            last = log.sort_values("step").iloc[-1]
            losses = [c for c in log.columns if c.startswith("loss_") and log[c].notna().any()]
            row |= {"steps": int(last["step"]), "tokens": last.get("tokens"), "loss": last.get("loss")}
            row["held_out"] = ", ".join(f"{c[5:]} {log[c].dropna().iloc[-1]:.2f}" for c in losses)
        row["seconds"] = provenance(grid.paths.job(model)).get("seconds")
        rows.append(row)
    return rows


def mismatch(grid: Grid, tables: Mapping[str, pd.DataFrame]) -> list[Row]:
    """One row for each run whose sampler and trainer differed beyond the limits of its precision (`rl.mismatch`).

    step: the first time; mean, largest: |trainer - sampler| in nats a token, each the worst of the run.
    """
    training = tables["training"]
    if not set(COLUMNS[:2]) <= set(training.columns):
        return []
    rows: list[Row] = []
    for id, log in training.dropna(subset=list(COLUMNS[:2])).sort_values("step").groupby("id", sort=False):
        if id not in grid.runs:
            continue
        precision = grid.file.algorithms[grid.runs[id].algorithm].precision
        past = [row["step"] for row in log.to_dict("records") if exceeds(row, precision)]
        if past:
            mean, largest = (float(log[name].max()) for name in COLUMNS[:2])
            rows.append({"id": id, "step": int(past[0]), "mean": mean, "largest": largest, "precision": precision})
    return rows


def algorithms(grid: Grid) -> list[Row]:
    """One row for each RL algorithm that a run uses."""
    used = dict.fromkeys(run.algorithm for run in grid.runs.values())
    return [{"name": name, "what": _algorithm(grid.file.algorithms[name])} for name in used]


def _algorithm(settings: Algorithm) -> str:
    drawn = f"temperature {settings.sampling.temperature:g}, up to {settings.sampling.max_new_tokens} tokens"
    if isinstance(settings, ExpertIteration):
        asked = settings.prompts_per_iteration or "all"
        what = f"{settings.iterations} iterations: {asked} questions x {settings.samples_per_prompt} samples ({drawn})"
        kept = "right ones" if settings.rule else f"ones that earn by {rewards.in_words(settings.reward)}"
        kept += ", duplicates dropped" if settings.drop_duplicates else ""
        fit = f"fine-tuning from the {'base model' if settings.start == 'base' else 'newest model'} on the {kept}"
        rate = f"{settings.epochs} epochs, learning rate {settings.learning_rate:g}"
        return f"{settings.title}. {what}; {fit}, {rate}{_more(settings)}"
    kl = "no KL penalty"
    if settings.kl.place != "none":
        kl = f"KL coefficient {settings.kl.coefficient:g} ({settings.kl.estimator} in the {settings.kl.place})"
    batch = f"{settings.prompts_per_batch} prompts x {settings.samples_per_prompt} samples a batch ({drawn})"
    reward = f"; reward {rewards.in_words(settings.reward)}"
    return (
        f"{settings.title}. {settings.passes:g} passes over the prompts, {batch}; {kl}; "
        f"learning rate {settings.learning_rate:g}, clip {settings.clip:g}{reward}{_more(settings)}"
    )


def _more(settings: Algorithm) -> str:
    """What is not as it mostly is."""
    more = {
        "tool": settings.sampling.tool,
        "truncated completions": settings.truncated if settings.truncated != "wrong" else None,
        "LoRA of rank": settings.lora.rank if settings.lora else None,
    }
    return "".join(f"; {name} {value}" for name, value in more.items() if value)


def provenance(folder: Path) -> dict:
    """A job's provenance.json, or nothing where the job left none."""
    path = folder / "provenance.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def machine(grid: Grid) -> dict[str, object]:
    """Versions, commits, devices and seconds over all training jobs; several values where jobs differ."""
    jobs = {"pretraining": grid.trained_models.values(), "RL": grid.runs.values()}
    records_by_stage = {stage: [provenance(grid.paths.job(job)) for job in jobs[stage]] for stage in jobs}
    every = [record for records in records_by_stage.values() for record in records if record]
    versions: dict[str, list[str]] = {}
    for record in every:
        for name, version in record.get("versions", {}).items():
            versions.setdefault(name, []).append(version)
    return {
        "versions": {name: distinct(values) for name, values in versions.items()},
        "older": len(closure.made_by_older_code(grid.paths.root)),
        "commit": distinct(record.get("git_commit") for record in every),
        "device": distinct(record.get("device") for record in every),
        "seconds": {stage: sum(r.get("seconds", 0) for r in records) for stage, records in records_by_stage.items()},
        "jobs": {stage: len(records) for stage, records in records_by_stage.items()},
    }


def distinct(values: Iterable[str | None]) -> str:
    """The values, each once, the most frequent first."""
    counts = Counter(value for value in values if value)
    return ", ".join(value for value, _ in counts.most_common())
