"""What one evaluation adds to the tables: from the samples of a model, or of a run and its base model, to rows.

A run's step 0 is its base model: those rows come from the base model's samples. Imports no torch.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from echochamber.analysis import samples
from echochamber.analysis.samples import Drawn
from echochamber.analysis.tables import completion_tables, logs
from echochamber.analysis.tables.comparisons import COMPARISONS
from echochamber.analysis.tables.disagreements import SCORERS, disagreements
from echochamber.analysis.tables.examples import SAMPLES, examples
from echochamber.analysis.tables.gains import OF_QUESTIONS, gains
from echochamber.analysis.tables.per_question import PER_QUESTION, per_question
from echochamber.analysis.tables.scores import SCORES, scores
from echochamber.analysis.tables.styles import STYLES, styles
from echochamber.grid.specs import MeasureSpec
from echochamber.stats.columns import AXES

OF_MODELS = {table.name: table for table in (SCORES, SCORERS)}
OF_RUNS = OF_MODELS | {
    table.name: table
    for table in (
        *(PER_QUESTION, OF_QUESTIONS, *(comparison.table for comparison in COMPARISONS.values()), STYLES, SAMPLES),
        *(completion_tables.ERRORS, completion_tables.PROCESS, completion_tables.EXAMPLES),
    )
}
"""The tables that an evaluation adds rows to, by name; their rows of single runs."""


def measure(spec: MeasureSpec) -> dict[str, pd.DataFrame]:
    """The rows by table: `OF_MODELS`, or `OF_RUNS`.

    Raises FileNotFoundError or ValueError, in one line, if samples or the log are missing or unreadable.
    """
    answers = read(Path(spec.samples), spec)
    rows = _of_run(spec, answers) if spec.base else _of_model(spec, answers)
    declared = OF_RUNS if spec.base else OF_MODELS
    tables = {
        name: part if isinstance(part, pd.DataFrame) else pd.DataFrame(part, columns=list(declared[name]))
        for name, part in rows.items()
    }
    return {name: table.typed(tables[name]) for name, table in declared.items()}


def read(path: Path, spec: MeasureSpec) -> Drawn:
    """Samples of the model or run, or of its base model.

    Raises FileNotFoundError, in one line, if there are none.
    """
    if not path.exists():
        id = spec.row.id if path == Path(spec.samples) else spec.row.model_id
        raise FileNotFoundError(f"{path}: found nothing, allowed: the samples of {id} on {spec.question_set}")
    return samples.read(path)


def steps_of(answers: Drawn) -> list[int]:
    """The checkpoints, in order."""
    return sorted({step for step, _ in answers})


def base_step(spec: MeasureSpec, before: Drawn) -> int:
    """The pretraining step that a run started from.

    Raises ValueError, in one line, if the base model was not sampled there.
    """
    steps, named = steps_of(before), spec.row.base_step
    if named is None:
        return steps[-1]
    if named not in steps:
        raise ValueError(f"{spec.base}: found steps {steps}, allowed: one of them {named}, where {spec.row.id} starts")
    return named


def _axes(spec: MeasureSpec) -> dict:
    return {"id": spec.row.id} | {axis: getattr(spec.row, axis) for axis in AXES}


def _of_model(spec: MeasureSpec, answers: Drawn) -> dict[str, list[dict] | pd.DataFrame]:
    axes, where = _axes(spec), {"question_set": spec.question_set}
    return {
        "scores": [
            axes | {"step": step} | where | row
            for step in steps_of(answers)
            for row in scores(answers.get((step, "greedy")), answers.get((step, "sample")))
        ],
        "scorers": _scorers(spec, answers),
    }


def _scorers(spec: MeasureSpec, answers: Drawn) -> list[dict]:
    axes, where = _axes(spec), {"question_set": spec.question_set}
    return [
        axes | {"step": step} | where | row
        for (step, mode), drawn in answers.items()
        for row in disagreements(mode, drawn)
    ]


def _of_run(spec: MeasureSpec, after: Drawn) -> dict[str, list[dict] | pd.DataFrame]:
    log = logs.read(Path(spec.log), spec.row.id)
    before = read(Path(spec.base), spec)
    base, final = base_step(spec, before), steps_of(after)[-1]
    axes, where = _axes(spec), {"question_set": spec.question_set}
    start = {"start": spec.row.start}
    sides = {0: (before, base, Path(spec.base))}
    sides |= {step: (after, step, Path(spec.samples)) for step in steps_of(after)}
    rows: dict[str, list[dict] | pd.DataFrame] = {name: [] for name in OF_RUNS}
    rows["scorers"] = _scorers(spec, after)
    score_rows, style_rows, questions = [], [], {}
    for step, (answers, at, path) in sides.items():
        sampled = {"completions_sampled": logs.completions_sampled(log, spec.row, step)}
        measured = scores(answers.get((at, "greedy")), answers.get((at, "sample")))
        score_rows += [axes | {"step": step} | sampled | where | row for row in measured]
        questions[step] = per_question(answers, at).assign(**axes, **where, step=step)
        if spec.own:
            here = axes | start | {"step": step} | where | sampled | {"n_seeds": 1}
            style_rows += [here | row for row in styles(path, at)]
    rows |= {"scores": score_rows, "styles": style_rows}
    ends = axes | start | {"step": final} | where
    rows["gains"] = gains(ends | {"random_numbers": spec.row.random_numbers}, before, base, after, final)
    drawn = before.get((base, "sample")), after.get((final, "sample"))
    if drawn[0] is not None and drawn[1] is not None:
        size = {"n_questions": len(drawn[0].questions), "n_seeds": 1}
        size |= {"n_samples": drawn[0].correct.size + drawn[1].correct.size}
        for name, comparison in COMPARISONS.items():
            rows[name] = [ends | size | row for row in comparison.compare(*drawn)]
        stages = (("base", Path(spec.base), base), ("final", Path(spec.samples), final))
        of_texts, right_steps = completion_tables.of_run(ends, Path(spec.questions), stages)
        rows |= of_texts
        for step, known in right_steps.items():
            questions[step] = _looked_at(questions[step], known)
        if spec.own:
            both = [(*stage, answers) for stage, answers in zip(stages, drawn, strict=True)]
            rows["samples"] = examples(axes | where, Path(spec.questions), both)
    rows["per_question"] = pd.concat(questions.values(), ignore_index=True)[list(PER_QUESTION)]
    return rows


def _looked_at(questions: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """The rows of `per_question` with their `right_steps`.

    Raises ValueError, in one line, if other questions were looked at than were answered.
    """
    counted = questions["question_id"].map(known.set_index("question_id")["right_steps"].to_dict())
    if len(known) != len(questions) or not set(known["question_id"]) <= set(questions["question_id"]):
        raise ValueError("right steps: found questions that were not answered, allowed: those of the samples")
    return questions.assign(right_steps=counted.astype(float))
