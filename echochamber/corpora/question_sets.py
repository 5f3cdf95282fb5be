"""The public question sets: questions as they stand, golds each read in its own way.

Only what `settings.SPLITS` names can be read: no corpus and no RL prompts come from a test split.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from echochamber.corpora import hub, reading
from echochamber.corpora.catalog import QUESTION_SETS
from echochamber.corpora.documents import BadRow, Question, flaw
from echochamber.job import UserError
from echochamber.settings import SPLITS, HubQuestions
from echochamber.verify.answers import last_box, parse_gold


def after_hashes(answer: str) -> str:
    """GSM8K: what follows the last `####`. The whole solution parsed for a number gives 4 of 1319 golds wrong."""
    _, found, gold = answer.rpartition("####")
    if not found:
        raise ValueError("no ####")
    return gold.strip()


def in_the_last_box(solution: str) -> str:
    """MATH: the content of the last box; some solutions have boxes on the way."""
    gold = last_box(solution)
    if gold is None:
        raise ValueError("no \\boxed{}")
    return gold


def as_it_stands(answer: str) -> str:
    """MATH-500 and AIME: an answer, LaTeX or not; AIME 2022 II 8 has two, `080 or 081 (both were accepted)`."""
    return answer.strip()


def integral(answer: str) -> str:
    """SVAMP writes 145.0; its few answers that are no integers stay decimals."""
    return answer.strip().removesuffix(".0")


GOLDS: dict[str, Callable[[str], str]] = {
    "gsm8k": after_hashes,
    "math": in_the_last_box,
    "math-500": as_it_stands,
    "aime-1983-2024": as_it_stands,
    "aime-2022-2024": as_it_stands,
    "svamp": integral,
}

SINCE = {"aime-2022-2024": 2022}
"""The first year, where the file at hand has earlier ones."""


def questions(settings: HubQuestions, name: str, split: str, data: str) -> list[Question]:
    """The questions of a split; ids are `<name>-<split>-<number>`.

    Raises:
        UserError: no such split, no such file, or a row without a question or a gold.
    """
    if split not in SPLITS[settings.dataset]:
        raise UserError(
            f"question_sets.{name}: found split {split}, allowed for {settings.dataset}: "
            f"{', '.join(SPLITS[settings.dataset])}"
        )
    known = QUESTION_SETS[settings.dataset]
    key = f"question_sets.{name}"
    files = hub.data_files(settings, key, known.repository, known.patterns[split], data)
    columns = {*known.gold, "Year", *(column for layout in known.question for column in layout)}
    found = []
    for row in reading.rows(files, tuple(columns)):
        if isinstance(row, BadRow):
            raise UserError(f"{key}: found {row.reason} ({row.place}), allowed: rows with a question and an answer")
        if int(row.get("Year") or 9999) < SINCE.get(settings.dataset, 0):
            continue
        try:
            text, gold = _read(row, known.question, known.gold, GOLDS[settings.dataset])
        except ValueError as error:
            raise UserError(f"{key}, {split}: question {len(found) + 1}: {error}") from None
        found.append(Question(f"{name}-{split}-{len(found):05d}", text, gold, None))
    return found


def _read(
    row: dict[str, Any], layouts: tuple[tuple[str, ...], ...], golds: tuple[str, ...], parse: Callable[[str], str]
) -> tuple[str, str]:
    number = next((i for i, gold in enumerate(golds) if gold in row), 0)
    parts = [row.get(column) for column in layouts[number]]
    if wrong := next(filter(None, map(flaw, parts)), None):
        raise ValueError(f"{', '.join(layouts[number])}: {wrong}")
    value = row.get(golds[number])
    gold = parse(str(value)) if value is not None else ""
    if not gold:
        raise ValueError(f"{golds[number]}: found {value!r}, allowed: an answer")
    parse_gold(gold)  # the verifier must understand it
    return " ".join(part.strip() for part in parts), gold
