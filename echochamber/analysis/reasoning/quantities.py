"""The numbers that a question states or implies: what a solution may compute with. Pure."""

from __future__ import annotations

import re
from fractions import Fraction

from echochamber.verify.reasoning.equations import Number, exact

ALWAYS = frozenset((0, 1))
"""Numbers that may come from nowhere: counters start there."""

_DIGITS = re.compile(r"(?<![\w.])(?:[0-9]{1,3}(?:(?:,|\{,\}|\\!)[0-9]{3})+|[0-9]{1,15})(?:\.[0-9]{1,12})?")
_FRACTION = re.compile(
    r"(?:([0-9]{1,9})\s)?\b([0-9]{1,9})\s?/\s?([0-9]{1,9})|([0-9]{0,9})\\[dt]?frac\{([0-9]{1,9})\}\{([0-9]{1,9})\}"
)
_WORD = re.compile(r"[^\W\d_]+|%|\$")


def _words() -> dict[str, tuple[Number, ...]]:
    counts = {
        **{"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10},
        **{"eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17},
        **{"eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60},
        **{"seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100, "thousand": 1000, "dozen": 12, "dozens": 12},
        **{"twice": 2, "double": 2, "doubles": 2, "doubled": 2, "both": 2, "pair": 2, "pairs": 2, "couple": 2},
        **{"thrice": 3, "triple": 3, "triples": 3, "tripled": 3},
    }
    parts = {"half": 2, "halves": 2, "halved": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6}
    parts |= {"seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10}
    units = {
        ("day", "days", "daily"): (7, 24, 365),
        ("week", "weeks", "weekly"): (4, 7, 52),
        ("month", "months", "monthly"): (4, 12, 30),
        ("year", "years", "annual", "annually", "yearly"): (12, 52, 365),
        ("hour", "hours", "hourly", "minute", "minutes", "second", "seconds", "am", "pm"): (12, 24, 60, 3600),
        ("percent", "%", "cent", "cents", "dollar", "dollars", "$", "meter", "meters"): (100, Fraction(1, 100)),
        ("foot", "feet", "inch", "inches"): (12,),
        ("yard", "yards"): (3, 36),
        ("pound", "pounds", "ounce", "ounces"): (16,),
        ("km", "kilometer", "kilometers", "kg", "kilogram", "kilograms", "liter", "liters"): (1000,),
    }
    numbers_by_word: dict[str, tuple[Number, ...]] = {word: (n,) for word, n in counts.items()}
    numbers_by_word |= {word + s: (n, Fraction(1, n)) for word, n in parts.items() for s in ("", "s")}
    return numbers_by_word | {word: numbers for words, numbers in units.items() for word in words}


WORDS = _words()
"""What a word of a question may stand for in its arithmetic."""


def numbers_of(question: str) -> frozenset[Number]:
    """The numbers of a question: digits, fractions with their parts, words, percentages as hundredths and the rest."""
    numbers: set[Number] = set(ALWAYS)
    for match in _DIGITS.finditer(question):
        value = Fraction(re.sub(r"[^0-9.]", "", match[0]))
        numbers.add(exact(value))
        if question[match.end() : match.end() + 2].strip("\\").startswith("%"):
            for part in (value, 100 - value, 100 + value):
                numbers |= {exact(part), exact(part / 100)}
    for plain_whole, plain_above, plain_below, whole, above, below in _FRACTION.findall(question):
        numbers |= _fraction(plain_whole or whole, plain_above or above, plain_below or below)
    for match in _WORD.finditer(question.lower()):
        numbers.update(WORDS.get(match[0], ()))
    return frozenset(number for number in numbers if number is not None)


def _fraction(whole: str, above: str, below: str) -> set[Number | None]:
    """A fraction, with and without the whole number before it, and its parts."""
    if int(below) == 0:
        return set()
    value = Fraction(int(above), int(below))
    return {int(above), int(below), exact(value), exact(int(whole or 0) + value)}
