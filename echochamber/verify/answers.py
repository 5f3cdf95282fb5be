"""Answers and golds: a fast exact path for plain numbers, and the known faults of math-verify corrected by hand.

What neither decides is `None` here and goes to math-verify in a process of its own (`symbolic.py`).
In all patterns, what follows a repetition starts with a character that the repetition cannot take, so that giving back
helps nothing and ends at once; answers are cut at `LONGEST`. Every function is linear in its input.
"""

from __future__ import annotations

import hashlib
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
"""math-verify rounds to 6 decimals: closer numbers than this may be equal to it; both absolutely and relatively."""
LARGEST_EXPONENT = 400
"""Powers of ten beyond which a number in scientific notation has no value: 1e9999 has too many digits to write."""
BETWEEN = "\x1f"
"""Between the accepted answers of one gold: a character that no answer has."""
LONGEST_KEY = 120
"""Characters of a canonical key; of a longer one, its beginning and a hash stand for it."""

_DIGIT = re.compile(r"[0-9]")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,11})\.[0-9]{1,12}")
_NUMBER = re.compile(r"[-+\u2212]?(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9,])|[0-9]+)?(?:\.[0-9]*)?(?:[eE][-+]?[0-9]{1,4})?")
_PERCENT = re.compile(r"(?:\\?%| percent)$")
_FRACTION = re.compile(
    r"([-+\u2212]?)\s*(?:\\[dt]?frac\s*\{\s*([-+]?[0-9]{1,30})\s*\}\s*\{\s*([0-9]{1,30})\s*\}|([0-9]{1,30})\s*/\s*([0-9]{1,30}))"
)
_MIXED = re.compile(
    r"([-+\u2212]?)\s*([0-9]{1,15})(?:(?:\s|\\[ ,;:!]|~)+([0-9]{1,15})\s*/\s*([0-9]{1,15})"
    r"|(?:\s|\\[ ,;:!]|~)*\\[dt]?frac\s*\{\s*([0-9]{1,15})\s*\}\s*\{\s*([0-9]{1,15})\s*\})"
)
_BASED = re.compile(r"([0-9A-Za-z]{1,60})_(?:([0-9])|\{\s*([0-9]{1,2})\s*\})")
_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{|\\.|[{}]", re.DOTALL)
_SPACING = re.compile(r"(?<=\d)(?:\\[,!;: ]|\{,\}|,\\!)(?=\d{3}(?!\d))")
_WRAPPED = re.compile(r"\\(?:text|mathrm|textbf|mathbf)\s*\{([^{}]*)\}")
_UNITS = re.compile(r"\s*(?:[A-Za-z]{2,20}\.?(?:\s+|$)){1,3}")
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
    """Of the values; None where the text is no number."""
    values: tuple[Fraction, ...]
    """Empty where the text is no number."""
    integral: bool = False
    percent: bool = False
    """Whether it is a percentage: 18% is answered by 18 as well, since its question asks for one."""


@lru_cache(maxsize=65536, typed=True)
def parse_gold(gold: str | int) -> Gold:
    """A gold answer: what follows GSM8K's `####`, an integer, AIME's `080 or 081 (both were accepted)`, LaTeX, or
    several of them, `BETWEEN` each two.

    Raises ValueError if there is no answer in it.
    """
    text = str(gold)
    if "####" in text:
        text = text.rpartition("####")[2]
    text = text.strip()
    either = re.fullmatch(r"(\d+) or (\d+)(?: \([^()]*\))?", text)
    texts: tuple[str, ...] = either.groups() if either else tuple(part.strip() for part in text.split(BETWEEN))
    if not all(texts):
        raise ValueError(f"gold: found {gold!r}, allowed: an answer")
    numbers = [None if based(part) else numeric(part) for part in texts]
    values = tuple(number for number in numbers if number is not None)
    if len(values) < len(texts):
        return Gold(texts, None, ())
    integral = all(value.denominator == 1 for value in values)
    percent = any(_PERCENT.search(tidy(part)) for part in texts)
    return Gold(texts, frozenset(map(value_key, values)), values, integral, percent)


def last_box(text: str, start: int = 0) -> str | None:
    """The content of the last `\\boxed{...}`, innermost where they nest; None without one, or where it is not closed.

    An earlier box never stands in for one that is broken.
    """
    box_start = text.rfind("\\boxed{", start)
    if box_start >= 0:
        begin = box_start + 7
        close = text.find("}", begin)
        plain = close >= 0 and text.find("{", begin, close) < 0 and "\\" not in text[begin:close]
        if plain and text.find("\\fbox", close) < 0 and text.find("\\boxed", close) < 0:
            return text[begin:close]
    elif text.find("\\fbox", start) < 0 and text.find("\\boxed", start) < 0:
        return None
    last, content, stack = -1, None, []
    for match in _BOX.finditer(text, start):
        mark = match[0]
        if mark == "{":
            stack.append(-1)
        elif mark == "}":
            if stack and stack.pop() == last >= 0:
                content = text[last : match.start()]
        elif mark.endswith("{") and mark != "\\{":
            last, content = match.end(), None
            stack.append(last)
    return content


def number(text: str) -> Fraction | None:
    """The exact value of an integer, decimal (`1,000`, `2.50`, `1e+16`) or simple fraction; None for anything else."""
    if len(text) > LONGEST:
        return None
    if _NUMBER.fullmatch(text):
        plain = text.replace(",", "").replace("\u2212", "-")
        _, _, exponent = plain.replace("E", "e").partition("e")
        if not plain.isascii() or not _DIGIT.match(plain.lstrip("+-.")) or abs(int(exponent or 0)) > LARGEST_EXPONENT:
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
    match = _MIXED.fullmatch(text)
    if match:
        sign, whole, above, below, above2, below2 = match.groups()
        above, below = int(above or above2), int(below or below2)
        if not 0 < above < below:
            return None
        value = int(whole) + Fraction(above, below)
        return -value if sign in ("-", "\u2212") else value
    return None


def based(text: str) -> tuple[str, int] | None:
    """Digits and base of a numeral such as `1101_2` or `2A_{16}`; None for anything else."""
    match = _BASED.fullmatch(text)
    if not match:
        return None
    base = int(match[2] or match[3])
    try:
        int(match[1], base)
    except ValueError:  # a digit that the base does not have, or no base
        return None
    return (match[1].lstrip("0") or "0").upper(), base


def value_key(value: Fraction) -> str:
    """The canonical text of a real number: integers exactly, float noise removed, others to 9 significant digits."""
    nearest = round(value)
    if value == nearest or (nearest != 0 and abs(value - nearest) <= TOLERANCE * abs(nearest)):
        return bounded(str(nearest))
    return f"{Decimal(value.numerator) / Decimal(value.denominator):.9g}".lower()


def bounded(key: str) -> str:
    """A key of at most `LONGEST_KEY` characters, still one for equal answers."""
    if len(key) <= LONGEST_KEY:
        return key
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{key[: LONGEST_KEY - 17]}#{digest}"


@lru_cache(maxsize=8192)
def numeric(text: str) -> Fraction | None:
    """The value of a number as people and programs write it (`$18`, `18 dollars`, `1\\,000`, `18%`, `1e+16`), or None.

    This is where math-verify's known faults are corrected: to it `1e+16` is 1, `1101_2` is 1101, `11 5/6` is 8/3, and
    `18 dollars` and `1\\,000` are no numbers. 18% is 0.18 here; `decide` takes it for 18 as well.
    """
    text = tidy(text)
    numeral = based(text)
    if numeral:
        return Fraction(int(*numeral))
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
    """The canonical key of an answer that is a number; None if it is none.

    A percentage (`40%`) and a numeral with its base (`1101_2`) have keys of their own: what they equal, the gold says.
    """
    if _INTEGER.fullmatch(text):
        return "0" if text == "-0" else text
    value = numeric(text)
    if value is None:
        return None
    plain = tidy(text)
    if _PERCENT.search(plain):
        return value_key(100 * value) + "%"
    numeral = based(plain)
    return value_key(value) if numeral is None else f"{numeral[0]}_{numeral[1]}"


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
    if gold.keys is None or gold.percent:
        return None
    integer = _INTEGER.fullmatch(answer)
    if integer and gold.integral:
        return number_key(answer) in gold.keys
    if not (integer or _DECIMAL.fullmatch(answer)):
        return None
    value = number(answer)
    if value is None:
        return None
    gaps = [abs(value - accepted) for accepted in gold.values]
    return True if 0 in gaps else False if min(gaps) > ROUNDING else None


def decide(answer: str, gold: Gold) -> bool | None:
    """`fast`, then numbers in every other spelling, with float noise removed; None: undecided, ask math-verify.

    Questions for a percentage have a plain gold in GSM8K: 40% is right for 40 as for 0.4.
    """
    decided = fast(answer, gold)
    if decided is not None:
        return decided
    if gold.keys is None:
        numerals = [numeral for numeral in map(based, gold.texts) if numeral]
        return any(_same_numeral(answer, numeral) for numeral in numerals) if numerals else None
    value = numeric(answer)
    if value is None:
        return None
    percent = _PERCENT.search(tidy(answer)) is not None
    values: tuple[Fraction, ...] = (value,)
    if percent is not gold.percent:
        values = (value, 100 * value if percent else value / 100)
    if any(value_key(one) in gold.keys for one in values):
        return True
    return None if any(near(one, accepted) for one in values for accepted in gold.values) else False


def near(value: Fraction, accepted: Fraction) -> bool:
    """Whether math-verify's rounding may make a number equal to an accepted one, and by right: 1e-7 is not 2e-7."""
    return abs(value - accepted) <= min(ROUNDING, ROUNDING * abs(accepted))


def _same_numeral(answer: str, gold: tuple[str, int]) -> bool:
    """Whether an answer is the numeral of a gold with a base, which it may leave out: the question names it."""
    text = tidy(answer)
    same_base = based(text) == gold
    return same_base or (text.isalnum() and text.isascii() and (text.lstrip("0") or "0").upper() == gold[0])


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
        texts = [part for part in parts if part is not None]
        return "(" + ", ".join(texts) + ")" if len(texts) == len(parts) else None
    return None
