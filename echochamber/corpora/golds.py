"""Gold answers as they stand in a column, and what the verifier compares with: one text, or several that are right."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from string import ascii_uppercase
from typing import Any

from echochamber.corpora.documents import flaw
from echochamber.datasets import GoldForm
from echochamber.errors import shortened
from echochamber.verify.answers import BETWEEN, LONGEST, last_box, numeric, parse_gold

LONGEST_GOLD = LONGEST
"""Characters; a longer answer of a completion is not read."""
_INEXACT = 2.0**53
LETTERS = ascii_uppercase
"""Of options."""


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


def a_number(answer: str) -> str:
    """An integer, a decimal or a fraction."""
    if numeric(answer.strip()) is None:
        raise ValueError(f"found {shortened(answer)}, allowed: an integer, a decimal or a fraction")
    return answer.strip()


GOLDS: dict[GoldForm, Callable[[str], str]] = {
    "after_hashes": after_hashes,
    "in_the_last_box": in_the_last_box,
    "as_it_stands": as_it_stands,
    "latex": as_it_stands,
    "integral": integral,
    "number": a_number,
}
"""Of those that are one text."""


def gold_text(column: str, value: Any, form: GoldForm, options: Sequence[str] = ()) -> str:
    """The gold of a row; several accepted ones are parted by `verify.answers.BETWEEN`.

    Args:
        value: what stands in `column`.
        options: of a multiple choice that has them in a column.

    Raises:
        ValueError: it says no answer, or more than the verifier reads; one line.
    """
    if form == "list":
        answers = [_one(column, item, as_it_stands) for item in _items(column, value)]
    elif form == "choice":
        answers = [_choice(column, value, options)]
    else:
        answers = [_one(column, value, GOLDS[form])]
    gold = BETWEEN.join(dict.fromkeys(answers))
    parse_gold(gold)  # the verifier must understand it
    return gold


def _one(column: str, value: Any, parse: Callable[[str], str]) -> str:
    text = _text(column, value) if value is not None else ""
    try:
        gold = parse(text) if value is not None else ""
    except ValueError as error:
        raise ValueError(f"{column}: {error}") from None
    if not gold:
        raise ValueError(f"{column}: found {shortened(value)}, allowed: an answer")
    if len(gold) > LONGEST_GOLD:
        raise ValueError(f"{column}: found {len(gold)} characters ({shortened(gold)}), allowed: up to {LONGEST_GOLD}")
    return gold


def _items(column: str, value: Any) -> list[Any]:
    """The items of a list, which a CSV file holds as JSON."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = [value]
    if not isinstance(value, list) or not value:
        raise ValueError(f"{column}: found {shortened(value)}, allowed: a list of accepted answers")
    return value


def option_texts(column: str, value: Any) -> tuple[str, ...]:
    """The options of a multiple choice: a list, or a mapping with the list `text`.

    Raises:
        ValueError: there are fewer than two, or more than letters, or one is no text.
    """
    if isinstance(value, dict):
        value = value.get("text")
    items = _items(column, value)
    if not 2 <= len(items) <= len(LETTERS) or any(flaw(item) for item in items):
        raise ValueError(f"{column}: found {shortened(value)}, allowed: 2 to {len(LETTERS)} texts")
    return tuple(item.strip() for item in items)


def with_options(question: str, options: Sequence[str]) -> str:
    """A question with its options below, a line each: `A) ...`."""
    lines = [f"{letter}) {option}" for letter, option in zip(LETTERS, options, strict=False)]
    return "\n".join([question, *lines])


def _choice(column: str, value: Any, options: Sequence[str]) -> str:
    """The letter of the right option."""
    text = _text(column, value).strip() if value is not None else ""
    if text.isdecimal() and int(text) < len(options or LETTERS):
        return LETTERS[int(text)]
    letter = text.strip("().").upper()
    if len(letter) == 1 and letter in LETTERS[: len(options) or len(LETTERS)]:
        return letter
    if text in options:
        return LETTERS[list(options).index(text)]
    last = LETTERS[(len(options) or len(LETTERS)) - 1]
    raise ValueError(
        f"{column}: found {shortened(value)}, allowed: a letter from A to {last}, its number from 0 on"
        + (", or one of the options" if options else "")
    )


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
