"""The public question sets: questions as they stand, golds each read in its own way.

Only what `settings.SPLITS` names can be read: no corpus and no RL prompts come from a test split.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from echochamber.corpora import hub, reading
from echochamber.corpora.documents import BadRow, Question, flaw
from echochamber.corpora.rows import Row
from echochamber.datasets import QUESTION_SETS
from echochamber.errors import UserError, shortened
from echochamber.settings import SPLITS, HubQuestions
from echochamber.verify.answers import LONGEST, last_box, parse_gold


def after_hashes(answer: str) -> str:
    """GSM8K: what follows the last `####`. The whole solution parsed for a number gives 4 of 1319 golds wrong."""
    _, separator, gold = answer.rpartition("####")
    if not separator:
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
    "after_hashes": after_hashes,
    "in_the_last_box": in_the_last_box,
    "as_it_stands": as_it_stands,
    "integral": integral,
}

LONGEST_QUESTION = 100_000
"""Characters."""
LONGEST_GOLD = LONGEST
"""Characters; a longer answer of a completion is not read."""
_INEXACT = 2.0**53

SINCE = {"aime-2022-2024": 2022}
"""The first year, where the file at hand has earlier ones."""


def questions(settings: HubQuestions, name: str, split: str, data: str) -> list[Question]:
    """The questions of a split; ids are `<name>-<split>-<number>`.

    Raises:
        UserError: no such split, no such file, no question in it, or a row without a question or a gold.
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
    questions = []
    for row in reading.rows(files, tuple(columns)):
        if isinstance(row, BadRow):
            raise UserError(
                f"{key}: {row.location}: found a bad row ({row.reason}), allowed: rows with a question and an answer"
            )
        try:
            if settings.dataset in SINCE and _year(row) < SINCE[settings.dataset]:
                continue
            text, gold = _read(row, known.question, known.gold, GOLDS[known.gold_form])
        except ValueError as error:
            raise UserError(f"{key}, {split}: {row.location}: {error}") from None
        questions.append(Question(f"{name}-{split}-{len(questions):05d}", text, gold, None))
    if not questions:
        names = ", ".join(file.url for file in files)
        raise UserError(f"{key}, {split}: {names}: found no question, allowed: at least one")
    return questions


def _year(row: Row) -> int:
    """Of a file that has years; without them every row is late enough."""
    try:
        return int(row.get("Year") or 9999)
    except (TypeError, ValueError):
        raise ValueError(f"Year: found {shortened(row['Year'])}, allowed: a year") from None


def _read(
    row: Row, layouts: tuple[tuple[str, ...], ...], golds: tuple[str, ...], parse: Callable[[str], str]
) -> tuple[str, str]:
    number = next((i for i, gold in enumerate(golds) if gold in row), 0)
    parts = [row.get(column) for column in layouts[number]]
    if wrong := next(filter(None, (flaw(part, LONGEST_QUESTION) for part in parts)), None):
        raise ValueError(
            f"{', '.join(layouts[number])}: {wrong}, allowed: a text of up to {LONGEST_QUESTION} characters"
        )
    value = row.get(golds[number])
    gold = parse(_text(golds[number], value)) if value is not None else ""
    if not gold:
        raise ValueError(f"{golds[number]}: found {shortened(value)}, allowed: an answer")
    if len(gold) > LONGEST_GOLD:
        raise ValueError(
            f"{golds[number]}: found {len(gold)} characters ({shortened(gold)}), allowed: up to {LONGEST_GOLD}"
        )
    parse_gold(gold)  # the verifier must understand it
    return " ".join(part.strip() for part in parts), gold


def _text(column: str, value: Any) -> str:
    """A gold as text: numbers only where they say exactly one."""
    if isinstance(value, str):
        exact = flaw(value) != "not UTF-8"
    else:
        exact = not isinstance(value, bool) and (
            isinstance(value, int) or (isinstance(value, float) and abs(value) < _INEXACT)
        )
    if exact:
        return str(value)
    allowed = "a text, a whole number, or a fraction below 2^53 (beyond it, and as nan, a float is no exact answer)"
    raise ValueError(f"{column}: found {shortened(value)}, allowed: {allowed}")
