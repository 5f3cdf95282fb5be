"""The texts of one model at one step, judged one by one: by the steps of the right ones, by the errors of the wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from echochamber.analysis.reasoning.errors import CATEGORIES, categorise
from echochamber.analysis.reasoning.quantities import numbers_of
from echochamber.analysis.samples import completions, split_flags
from echochamber.formats import FORMATS
from echochamber.jobs.files import read_json_lines
from echochamber.printable import shown
from echochamber.stats import metrics
from echochamber.stats.columns import (
    ANSWER,
    COMPLETION,
    FORMAT,
    GOLD,
    QUESTION,
    QUESTION_ID,
    SAMPLE,
    STATUS,
    Column,
    K,
    names,
)
from echochamber.stats.intervals import question_intervals
from echochamber.verify.reasoning.steps import STEPS, judge_steps
from echochamber.verify.reasoning.traces import trace

COLUMNS = ("question_id", "sample", "completion", "finished", "format", "correct", "answer", "status", "flags")
ERRORS = (
    Column("among", "text", "`all`: share of all completions; `wrong`: of the wrong ones"),
    Column("category", "text", "of the error (docs/errors.md)"),
)
PROCESS = (
    Column(
        "measure",
        "text",
        "`pass_at_k`, `pass_at_k_by_right_steps`, `chance_at_k`; `steps_S`: by steps S",
    ),
    *(K, FORMAT),
)
EXAMPLES = (
    Column("stage", "text", "`base` or `final`"),
    Column("category", "text", "of the error"),
    Column("share", "number", "of the category among the wrong completions"),
    Column("evidence", "text", "what shows the error"),
    *(QUESTION_ID, QUESTION, GOLD, SAMPLE, COMPLETION),
    Column("format", "text", "of the completion"),
    *(ANSWER, STATUS),
)
RIGHT_STEPS = ("question_id", "right_steps")
UNREAD = -1


@dataclass(frozen=True)
class Judged:
    """The sampled completions of one model at one step. Arrays are (questions, samples)."""

    asked: list[dict]
    """The questions as their file has them, sorted by id."""
    correct: np.ndarray
    format: np.ndarray
    """Index into `settings.FORMATS`."""
    category: np.ndarray
    """Index into `CATEGORIES`; -1: the answer is right."""
    steps: np.ndarray
    """Index into `STEPS`; -1: the answer is wrong, or the question has no graph."""
    table: pd.DataFrame
    """The completions themselves, row by row as the arrays are, with what shows their error as `evidence`."""


def read(path: Path, step: int, questions: Path) -> Judged:
    """Judge the samples that samples.parquet holds of one step. questions: the file that they answer.

    Raises ValueError, in one line, if a question is not in its file.
    """
    filters = [("step", "==", step), ("mode", "==", "sample")]
    table = completions(path, COLUMNS, filters)
    table = table.sort_values(["question_id", "sample"], kind="stable").reset_index(drop=True)
    asked = _questions(questions)
    ids = list(dict.fromkeys(table["question_id"].astype(str)))
    missing = [id for id in ids if id not in asked]
    if missing:
        raise ValueError(f"{path}: question_id: found {missing[0]}, allowed: those of {questions}")
    known: dict[tuple, tuple[int, int, str | None]] = {}
    numbers = {id: numbers_of(asked[id]["question"]) for id in ids}
    judgements = []
    for row in table.itertuples(index=False):
        key = (row.question_id, row.completion, row.finished)
        if key not in known:
            known[key] = _judge(row, asked[str(row.question_id)], numbers[str(row.question_id)])
        judgements.append(known[key])
    category, steps, evidence = zip(*judgements, strict=True)
    shape = (len(ids), -1)
    form = table["format"].map({name: i for i, name in enumerate(FORMATS)})
    return Judged(
        [asked[id] for id in ids],
        table["correct"].to_numpy(dtype=bool).reshape(shape),
        form.to_numpy(dtype=np.int8).reshape(shape),
        np.array(category).reshape(shape),
        np.array(steps).reshape(shape),
        table.assign(category=category, evidence=evidence),
    )


def _judge(row: tuple, question: dict, numbers: frozenset) -> tuple[int, int, str | None]:
    """(category, steps, evidence) of one completion."""
    graph = question.get("graph")
    if row.correct:
        return UNREAD, STEPS.index(judge_steps(graph, trace(row.completion, row.format))) if graph else UNREAD, None
    category, evidence = categorise(
        trace(row.completion, row.format),
        numbers,
        format=row.format,
        status=row.status,
        flags=split_flags(row.flags),
        finished=row.finished,
    )
    return CATEGORIES.index(category), UNREAD, evidence


@lru_cache(maxsize=16)
def _questions(path: Path) -> Mapping[str, dict]:
    return {str(row["question_id"]): row for row in read_json_lines(path)}


def errors(judged: Judged) -> list[dict]:
    """Rows among, category, estimate, low, high, n_questions, n_samples.

    among `all`: share of the completions, which add up to 1 - accuracy; among `wrong`: share of the wrong ones (no
    rows where none is wrong). Intervals over questions.
    """
    each = (judged.category[:, :, None] == np.arange(len(CATEGORIES))).sum(1)
    rows = []
    for among, counted in (("all", np.ones_like(judged.correct)), ("wrong", ~judged.correct)):
        base = counted.sum(1)
        if base.any():
            per = np.repeat(base[:, None], len(CATEGORIES), axis=1)
            count = {"n_questions": int((base > 0).sum()), "n_samples": int(base.sum())}
            rows += [
                {"among": among, "category": category} | _interval(ends) | count
                for category, ends in zip(CATEGORIES, question_intervals(each, per).T, strict=True)
            ]
    return rows


def process(judged: Judged) -> list[dict]:
    """Rows measure, k, format, estimate, low, high, n_questions, n_samples; [] for questions without a graph.

    - `pass_at_k`, `pass_at_k_by_right_steps`: unbiased, for k = 1, 2, 4, ...
    - `chance_at_k`: the most that k blind guesses earn on these questions; exact, no interval
    - `steps_S` for S in `process.STEPS`: share of the right answers whose steps are so, of all formats and of each
    """
    if not all(question.get("graph") for question in judged.asked):
        return []
    questions, n = judged.correct.shape
    ks = metrics.powers_of_two(n)
    by_steps = judged.steps == STEPS.index("right")
    golds = [question["answer"] for question in judged.asked]
    whole = {"format": None, "n_questions": questions, "n_samples": judged.correct.size}
    rows = []
    for measure, right in (("pass_at_k", judged.correct), ("pass_at_k_by_right_steps", by_steps)):
        values = np.stack([metrics.pass_at_k(n, right.sum(1), k) for k in ks], axis=1)
        rows += [
            {"measure": measure, "k": k} | _interval(ends) | whole
            for k, ends in zip(ks, question_intervals(values).T, strict=True)
        ]
    rows += [
        {"measure": "chance_at_k", "k": k} | _interval((metrics.chance_at_k(golds, k), np.nan, np.nan)) | whole
        for k in ks
    ]
    each = judged.steps[:, :, None] == np.arange(len(STEPS))
    for i, name in [(None, None), *enumerate(FORMATS)]:
        inside = judged.correct & (True if i is None else judged.format == i)
        base = inside.sum(1)
        if base.any():
            per = np.repeat(base[:, None], len(STEPS), axis=1)
            ends = question_intervals((each & inside[:, :, None]).sum(1), per).T
            count = {"format": name, "n_questions": int((base > 0).sum()), "n_samples": int(base.sum())}
            rows += [
                {"measure": f"steps_{steps}", "k": None} | _interval(end) | count
                for steps, end in zip(STEPS, ends, strict=True)
            ]
    return rows


def right_steps(judged: Judged) -> pd.DataFrame:
    """Columns `RIGHT_STEPS`: completions of a question that are right by right steps; missing where it has no graph."""
    ids = [str(question["question_id"]) for question in judged.asked]
    known = np.array([bool(question.get("graph")) for question in judged.asked])
    count = (judged.steps == STEPS.index("right")).sum(1)
    return pd.DataFrame({"question_id": ids, "right_steps": np.where(known, count, np.nan)})


def error_examples(judged: Judged, stage: str) -> list[dict]:
    """Rows with the columns `EXAMPLES`: the first completion of each category; `share` is among the wrong ones."""
    wrong = judged.table[judged.table["category"] >= 0]
    rows = []
    for i, name in enumerate(CATEGORIES):
        here = wrong[wrong["category"] == i]
        if len(here):
            first = here.iloc[0]
            question = next(q for q in judged.asked if str(q["question_id"]) == str(first["question_id"]))
            rows.append(
                {name: shown(first[name]) for name in names(EXAMPLES) if name in first}
                | {"stage": stage, "category": name, "share": len(here) / len(wrong)}
                | {"question": question["question"], "gold": question["answer"]}
            )
    return rows


def _interval(ends: np.ndarray | tuple) -> dict[str, float]:
    return dict(zip(("estimate", "low", "high"), map(float, ends), strict=True))
