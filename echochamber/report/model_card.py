"""The card of a run's last checkpoint, as Markdown: data, settings, scores, what RL amplified, provenance. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import yaml

from echochamber.formats import DEFAULT_RULE
from echochamber.grid.expansion import Grid
from echochamber.grid.ids import Run
from echochamber.report.numbers import NOTHING, interval
from echochamber.settings import QuestionSet

MEASURES = {"greedy_accuracy": "greedy accuracy", "pass_at_k": "pass@{k}", "majority_at_k": "majority@{k}"}
"""Of `gains`, in words."""


def card(grid: Grid, run: Run, tables: Mapping[str, pd.DataFrame], provenance: Mapping[str, Any], step: int) -> str:
    """README.md of a model's repository.

    Args:
        tables: `gains` and `scores` of the grid.
        provenance: of the run.
        step: of its last checkpoint.
    """
    gains = tables["gains"]
    sections = [
        _head(grid, run, provenance),
        f"# {run.id}",
        _what(grid, run, step),
        "## Data\n\n" + _data(grid, run),
        "## Settings\n\n" + _settings(grid, run),
        "## Scores\n\n" + _scores(gains[gains["id"] == run.id], _rule(grid, run)),
        "## What RL amplified\n\n" + _amplified(tables["scores"], run),
        "## Use\n\n" + _use(grid, run),
        "## Provenance\n\n" + _provenance(provenance),
    ]
    return "\n\n".join(sections) + "\n"


def samples_card(grid: Grid, run: Run, files: Mapping[str, str], columns: Mapping[str, str]) -> str:
    """README.md of the data set of a run's samples.

    Args:
        files: name of a configuration -> its file.
        columns: what each column holds.
    """
    configs = [{"config_name": name, "data_files": file} for name, file in sorted(files.items())]
    head = {"pretty_name": f"Samples of {run.id}", "tags": ["echochamber"], "configs": configs}
    lines = "\n".join(f"| {name} | {said} |" for name, said in columns.items())
    return (
        f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n\n# Samples of {run.id}\n\nCompletions of the kept "
        f"checkpoints and of the base model (`step` 0 of its own id) on {', '.join(sorted(files))}, in the world "
        f'"{grid.file.world}". `datasets.load_dataset(REPOSITORY, CONFIGURATION)` reads them.\n\n'
        f"| column | what it holds |\n|---|---|\n{lines}\n"
    )


def _head(grid: Grid, run: Run, provenance: Mapping[str, Any]) -> str:
    about: dict[str, Any] = {"library_name": "transformers", "pipeline_tag": "text-generation"}
    base = grid.file.models[run.model.imported].path if run.model.imported else ""
    if base in {origin["repository"] for origin in provenance.get("hub", [])}:  # no folder of this machine
        about |= {"base_model": base, "base_model_relation": "finetune"}
    about["tags"] = ["echochamber", grid.file.algorithms[run.algorithm].kind]
    return f"---\n{yaml.safe_dump(about, sort_keys=False)}---"


def _what(grid: Grid, run: Run, step: int) -> str:
    questions = "; ".join(study.title for study in grid.file.studies.values() if run in grid.study_runs(study))
    title = grid.file.algorithms[run.algorithm].title
    return (
        f"The model after {step} steps of {title} from {_base(grid, run)}, seed {run.seed}, of the grid "
        f'`{grid.file.name}` (world: {grid.file.world}), which asks: "{questions}" One run is one seed: intervals '
        "below are over questions, not over seeds. The licence is for you to fill in: that of the base model binds it."
    )


def _base(grid: Grid, run: Run) -> str:
    if run.model.imported:
        settings = grid.file.models[run.model.imported]
        return f"`{settings.path}` (revision {settings.revision})"
    mixture, scale, seed = run.model.recipe
    return f"a model pretrained in the grid (mixture {mixture}, scale {scale}, seed {seed})"


def _data(grid: Grid, run: Run) -> str:
    prompts = grid.file.prompts[run.prompts]
    count = f"the first {prompts.count} questions" if prompts.count else "all questions"
    lines = [f"- RL: {count} of the train split of `{prompts.questions}` ({_set(grid, prompts.questions)})"]
    lines += [
        f"- measured on `{name}`: the test split of `{asked.questions}` ({_set(grid, asked.questions)})"
        for name, asked in _benchmarks(grid, run)
    ]
    if not run.model.imported:
        passes = ", ".join(f"{source} {count:g} times" for source, count in grid.passes(run.model.recipe[0]).items())
        lines.append(f"- pretraining: {passes}")
    return "\n".join(lines)


def _set(grid: Grid, name: str) -> str:
    settings: QuestionSet = grid.file.question_sets[name]
    return str(getattr(settings, "dataset", None) or getattr(settings, "repository", None) or settings.kind)


def _benchmarks(grid: Grid, run: Run) -> list[tuple[str, Any]]:
    return [(name, grid.file.benchmarks[name]) for id, name in grid.evaluations if id == run.id]


def _settings(grid: Grid, run: Run) -> str:
    settings = {
        "algorithm": grid.file.algorithms[run.algorithm].model_dump(mode="json", exclude_unset=True),
        "prompts": grid.file.prompts[run.prompts].model_dump(mode="json", exclude_unset=True),
        "benchmarks": {n: asked.model_dump(mode="json", exclude_unset=True) for n, asked in _benchmarks(grid, run)},
    }
    return f"As the grid file has them; what is not said is the default.\n\n```yaml\n{yaml.safe_dump(settings)}```"


def _rule(grid: Grid, run: Run) -> str:
    return grid.file.algorithms[run.algorithm].rule or DEFAULT_RULE


def _scores(gains: pd.DataFrame, rule: str) -> str:
    """Base model, this model, and the paired difference."""
    rows = gains[(gains["scorer"] == rule) & gains["metric"].isin(list(MEASURES))]
    if rows.empty:
        return "None were measured."
    lines = [
        f"| {row.question_set} | {MEASURES[row.metric].format(k=f'{row.k:g}')} | {row.base:.2f} | {row.final:.2f} | "
        f"{interval(row.estimate, row.low, row.high, signed=True)} | {row.n_questions:g} |"
        for row in rows.itertuples()
    ]
    head = (
        "| benchmark | measure | base model | this model | difference [95 %] | questions |\n|---|---|---|---|---|---|"
    )
    return f"Answers are judged by the rule `{rule}`; differences are paired by question.\n\n{head}\n" + "\n".join(
        lines
    )


def _amplified(scores: pd.DataFrame, run: Run) -> str:
    """Shares of the formats before and after, and how often an answer in them is right."""
    last = scores[scores["id"] == run.id]["step"].max()
    after = scores[(scores["id"] == run.id) & (scores["step"] == last)]
    before = scores[scores["id"] == run.model.id]
    if run.from_step is None and len(before):
        before = before[before["step"] == before["step"].max()]
    elif run.from_step is not None:
        before = before[before["step"] == run.from_step]
    lines = []
    for (questions, name), rows in after[after["metric"] == "share"].groupby(["question_set", "format"]):
        cells = [_cell(frame, questions, name, metric) for metric in ("share", "accuracy_within_format")
                 for frame in (before, after)]  # fmt: skip
        if rows["estimate"].max() > 0 or not cells[0].startswith(("0.00", NOTHING)):
            lines.append(f"| {questions} | {name} | " + " | ".join(cells) + " |")
    head = (
        "| benchmark | form of the answer | share before | share after | right before | right after |\n"
        "|---|---|---|---|---|---|"
    )
    return (
        "Sampled completions by the form that they take. A share that was there before and grows is what RL amplified. "
        "A pass@1 that grows beside a pass@k that does not is sharpening: what was sampled sometimes is sampled more "
        "often."
        f"\n\n{head}\n" + "\n".join(lines)
    )


def _cell(frame: pd.DataFrame, questions: str, name: str, metric: str) -> str:
    row = frame[(frame["question_set"] == questions) & (frame["format"] == name) & (frame["metric"] == metric)]
    row = row[row["scorer"].isna() | (row["scorer"] == DEFAULT_RULE)]
    if row.empty:
        return NOTHING
    first = row.iloc[0]
    return NOTHING if pd.isna(first["estimate"]) else interval(first["estimate"], first["low"], first["high"])


def _use(grid: Grid, run: Run) -> str:
    form = grid.file.prompts[run.prompts]
    said = form.model_dump(mode="json", exclude_unset=True, exclude={"questions", "count", "examples"})
    arguments = ", ".join(f"{key}={value!r}" for key, value in said.items())
    note = " The examples that stood before it in RL are left out here." if form.examples else ""
    return (
        f"The prompt that it was trained with.{note}\n\n```python\nimport echochamber, torch\n"
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        'here = "THIS REPOSITORY"\n'
        "tokenizer, model = AutoTokenizer.from_pretrained(here), AutoModelForCausalLM.from_pretrained(here)\n"
        f"form = echochamber.PromptForm({arguments})\n"
        '(prompt,) = echochamber.encode_questions(tokenizer, ["What is 2 + 3?"], form)\n'
        "answer = model.generate(torch.tensor([prompt]), max_new_tokens=384, do_sample=False)[0, len(prompt) :]\n```"
    )


def _provenance(record: Mapping[str, Any]) -> str:
    versions = record.get("versions", {})
    said = {
        "code of the project": record.get("git_commit"),
        "hash of the code that ran": record.get("code"),
        "libraries": ", ".join(f"{name} {versions[name]}" for name in ("torch", "transformers") if name in versions),
        "device": record.get("device"),
        "finished": record.get("time"),
        "repositories read": ", ".join(f"{one['repository']} at {one['commit']}" for one in record.get("hub", [])),
    }
    lines = [f"| {name} | {value} |" for name, value in said.items() if value]
    return "`provenance.json` has the whole specification of the run.\n\n| | |\n|---|---|\n" + "\n".join(lines)
