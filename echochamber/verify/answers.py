"""Answers and golds: a fast exact path for plain numbers, and the known faults of math-verify corrected by hand.

What neither decides is `None` here and goes to math-verify in a process of its own (`symbolic.py`).
All patterns are possessive and answers are cut at `LONGEST`, so every function is linear in its input.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

LONGEST = 1000
"""Characters of an answer; a longer one has no value."""
TOLERANCE = 1e-9
"""Relative difference below which a decimal is float noise: 17.999999999999996 is 18 (sympy >= 1.13 says it is not)."""

ROUNDING = Fraction(2, 10**6)

_DIGIT = re.compile(r"[0-9]")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,11})\.[0-9]{1,12}")
_NUMBER = re.compile(
    r"[-+\u2212]?+(?:[0-9]{1,3}(?:,[0-9]{3})++(?![0-9,])|[0-9]++)?+(?:\.[0-9]*+)?+(?:[eE][-+]?[0-9]{1,4})?+"
)
_PERCENT = re.compile(r"(?:\\?%| percent)$")
_FRACTION = re.compile(
    r"([-+\u2212]?+)\s*+(?:\\[dt]?frac\s*+\{\s*+([-+]?[0-9]{1,30})\s*+\}\s*+\{\s*+([0-9]{1,30})\s*+\}|([0-9]{1,30})\s*+/\s*+([0-9]{1,30}))"
)
_BOX = re.compile(r"\\(?:boxed|fbox)\s*+\{|\\.|[{}]", re.DOTALL)
_SPACING = re.compile(r"(?<=\d)(?:\\[,!;: ]|\{,\}|,\\!)(?=\d{3}(?!\d))")
_WRAPPED = re.compile(r"\\(?:text|mathrm|textbf|mathbf)\s*+\{([^{}]*+)\}")
_UNITS = re.compile(r"\s*+(?:[A-Za-z]{2,20}\.?+(?:\s++|$)){1,3}+")
_NOT_UNITS = re.compile(
    # Words that change the number before them, or join it to another.
    r"\b(?:and|or|to|times|plus|minus|over|divided|by|equals|is|dozen|hundred|thousand|million|billion|trillion|half|"
    r"halves|thirds?|quarters?|percent|pi|sqrt|mod|ln|log|sin|cos|tan|remainder|through|out|of|pairs?|score|base)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Gold:
    """The accepted answers. `keys` and `values` are None unless all of them are numbers."""

    texts: tuple[str, ...]
    keys: frozenset[str] | None
    values: tuple[Fraction, ...] | None
    integral: bool = False


@lru_cache(maxsize=65536, typed=True)
def parse_gold(gold: str | int) -> Gold:
    """A gold answer: what follows GSM8K's `####`, an integer, AIME's `080 or 081 (both were accepted)`, or LaTeX.

    Raises ValueError if there is no answer in it.
    """
    text = str(gold)
    if "####" in text:
        text = text.rpartition("####")[2]
    text = text.strip()
    either = re.fullmatch(r"(\d+) or (\d+)(?: \([^()]*\))?", text)
    texts = either.groups() if either else (text,)
    if not all(texts):
        raise ValueError(f"gold: found {gold!r}, allowed: an answer")
    # A question for a percentage is answered by 18 as well as by 18%: math-verify takes both for the gold 18%.
    values = [None if _PERCENT.search(part) else numeric(part) for part in texts]
    if None in values:
        return Gold(texts, None, None)
    integral = all(value.denominator == 1 for value in values)
    return Gold(texts, frozenset(map(value_key, values)), tuple(values), integral)


def last_box(text: str, start: int = 0) -> str | None:
    """The content of the last `\\boxed{...}` whose braces balance, innermost where they nest; None without one."""
    found = text.rfind("\\boxed{", start)
    if found >= 0:
        begin = found + 7
        close = text.find("}", begin)
        plain = close >= 0 and text.find("{", begin, close) < 0 and "\\" not in text[begin:close]
        if plain and text.find("\\fbox", close) < 0 and text.find("\\boxed", close) < 0:
            return text[begin:close]
    elif text.find("\\fbox", start) < 0 and text.find("\\boxed", start) < 0:
        return None
    best, content, stack = -1, None, []
    for match in _BOX.finditer(text, start):
        mark = match[0]
        if mark == "{":
            stack.append(-1)
        elif mark == "}":
            begin = stack.pop() if stack else -1
            if begin > best:
                best, content = begin, text[begin : match.start()]
        elif mark.endswith("{") and mark != "\\{":
            stack.append(match.end())
    return content


def number(text: str) -> Fraction | None:
    """The exact value of an integer, decimal (`1,000`, `2.50`, `1e+16`) or simple fraction; None for anything else."""
    if len(text) > LONGEST:
        return None
    if _NUMBER.fullmatch(text):
        plain = text.replace(",", "").replace("\u2212", "-")
        _, _, exponent = plain.replace("E", "e").partition("e")
        if not plain.isascii() or not _DIGIT.match(plain.lstrip("+-.")) or len(exponent) > 4:
            return None
        return Fraction(plain)
    match = _FRACTION.fullmatch(text)
    if match:
        sign, above, below, above2, below2 = match.groups()
        below = int(below or below2)
        if below == 0:
            return None
        value = Fraction(int(above or above2), below)
        return -value if sign in ("-", "\u2212") else value
    return None


def value_key(value: Fraction) -> str:
    """The canonical text of a real number: integers exactly, float noise removed, others to 9 significant digits."""
    nearest = round(value)
    if value == nearest or (nearest != 0 and abs(value - nearest) <= TOLERANCE * abs(nearest)):
        return str(nearest)
    return f"{Decimal(value.numerator) / Decimal(value.denominator):.9g}".lower()


@lru_cache(maxsize=8192)
def numeric(text: str) -> Fraction | None:
    """The value of a number as people and programs write it (`$18`, `18 dollars`, `1\\,000`, `18%`, `1e+16`), or None.

    This is where math-verify's known faults are corrected: to it 18% is 18, `1e+16` is 1, and `18 dollars` and
    `1\\,000` are no numbers.
    """
    text = tidy(text)
    percent = _PERCENT.search(text)
    if percent:
        value = number(text[: percent.start()].rstrip())
        return None if value is None else value / 100
    value = number(text)
    if value is None:
        bare = without_units(text)
        value = number(bare) if bare else None
    return value


@lru_cache(maxsize=8192)
def number_key(text: str) -> str | None:
    """The canonical key of an answer that is a number; None if it is none."""
    if _INTEGER.fullmatch(text):
        return "0" if text == "-0" else text
    value = numeric(text)
    return None if value is None else value_key(value)


def tidy(text: str) -> str:
    """Without what surrounds a number in prose and LaTeX: math signs, currency, `1\\,000`, a closing full stop."""
    text = text[: LONGEST + 1].strip()
    for left, right in (("\\(", "\\)"), ("\\[", "\\]"), ("$$", "$$"), ("$", "$")):
        if len(text) > len(left) + len(right) and text.startswith(left) and text.endswith(right):
            text = text[len(left) : -len(right)].strip()
    text = text.removesuffix(".").rstrip()
    if "\\" in text or "{" in text:
        text = _SPACING.sub("", text)
    sign = "-" if text[:1] in ("-", "\u2212") else ""
    bare = text[1:].lstrip() if sign else text
    for currency in ("\\$", "$"):
        if bare.startswith(currency):
            return sign + bare[len(currency) :].lstrip()
    return text


def without_units(text: str) -> str | None:
    """`18` of `18 dollars` or `18\\text{ cm}`; None if what follows the number is not one to three plain words."""
    if "\\" in text:
        text = _WRAPPED.sub(r" \1 ", text).strip()
    match = _NUMBER.match(text)
    if not match or match.end() == 0:
        return None
    rest = text[match.end() :]
    if not rest or not _UNITS.fullmatch(rest) or _NOT_UNITS.search(rest):
        return None
    return match[0]


def fast(answer: str, gold: Gold) -> bool | None:
    """Whether a plainly written integer or decimal is `gold`; None: undecided. Where it decides, math-verify agrees.

    math-verify rounds to 6 decimals, so a difference below `ROUNDING` is left to others.
    """
    if gold.keys is None:
        return None
    integer = _INTEGER.fullmatch(answer)
    if integer and gold.integral:
        return number_key(answer) in gold.keys
    if not (integer or _DECIMAL.fullmatch(answer)):
        return None
    value = number(answer)
    gaps = [abs(value - accepted) for accepted in gold.values]
    return True if 0 in gaps else False if min(gaps) > ROUNDING else None


def decide(answer: str, gold: Gold) -> bool | None:
    """`fast`, then numbers in every other spelling, with float noise removed; None: undecided, ask math-verify."""
    decided = fast(answer, gold)
    if decided is not None or gold.keys is None:
        return decided
    key = number_key(answer)
    if key is None:
        return None
    if key in gold.keys:
        return True
    value = numeric(answer)
    return False if min(abs(value - accepted) for accepted in gold.values) > ROUNDING else None


def executed_text(value: object) -> str | None:
    """The answer that a program's value stands for; None for values that are no answer (None, functions, objects).

    Numbers give their digits, strings themselves, flat tuples and lists `(a, b)`. Never walks into nested values:
    a small program can return a graph whose text is exponentially long.
    """
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return str(value) if value.bit_length() < 14000 else None
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return str(value) if value.is_finite() else None
    if isinstance(value, str):
        text = value.strip()
        return text if 0 < len(text) <= LONGEST else None
    if isinstance(value, (tuple, list)) and 0 < len(value) <= 32:
        parts = [executed_text(item) if isinstance(item, (bool, int, float, Decimal, str)) else None for item in value]
        return None if None in parts else "(" + ", ".join(parts) + ")"
    return None
