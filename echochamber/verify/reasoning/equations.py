"""Arithmetic in prose: which equations a text states, whether they hold, what they are computed from. Pure.

Reads plain and LaTeX arithmetic between numbers (`3 + 4 = 7`, `\\frac{12}{4} = 3`, `3 pens + 4 pens = 7 pens`), by
one pass of one pattern; nothing is executed. An equation with a letter, a word or an unknown command in it is left
alone: better to miss a false equation than to call a true one false. Takes anything a model may write, never raises,
and is linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

LONGEST = 20_000
"""Characters of a text that are looked at."""
SHOWN = 120
"""Characters of an equation that are kept to be shown."""
LARGEST = 10**15
"""A number beyond this, or with a larger denominator, has no value here."""

Number = int | Fraction


class Computation(NamedTuple):
    """One operation: a sum of signed terms (`a - b` is a + -b) or a product of factors (`a / b` is a times 1 / b)."""

    kind: str
    """`+` or `*`."""
    terms: tuple[Number, ...]
    """Sorted: the order of what commutes plays no part."""


@dataclass(frozen=True, slots=True)
class Equation:
    """Two or more sides between numbers, at least one of which is computed."""

    text: str
    holds: bool
    values: tuple[Number, ...]
    """Of its sides."""
    numbers: tuple[Number, ...]
    """What the computed sides are made of, in order."""
    computed: tuple[Computation, ...]
    """The operations of the sides, partial results included."""


def size(value: Number) -> Number:
    """The absolute value."""
    return -value if value < 0 else value


def exact(value: Number) -> Number | None:
    """The number as an integer where it is one; none where it is too large to follow."""
    if isinstance(value, Fraction):
        if value.denominator == 1:
            value = value.numerator
        elif value.denominator > LARGEST:
            return None
    return value if size(value) <= LARGEST else None


def inverse(number: Number) -> Number:
    """1 / number, as an integer where it is one and as it is where it is too large to follow."""
    fraction = Fraction(1) / number
    return exact(fraction) or fraction


def apply(symbol: str, a: Number, b: Number) -> tuple[Number | None, Computation | None]:
    """`a symbol b` for `+ - * / // **`, and what was computed; no value where there is none to follow."""
    if symbol in "+-":
        b = b if symbol == "+" else -b
        return exact(a + b), Computation("+", tuple(sorted((a, b))))
    if symbol == "*":
        return exact(a * b), Computation("*", tuple(sorted((a, b))))
    if symbol in ("/", "//"):
        if b == 0:
            return None, None
        quotient = Fraction(a) / b
        value = exact(quotient if symbol == "/" else Fraction(quotient.__floor__()))
        return value, Computation("*", tuple(sorted((a, inverse(b)))))
    if symbol == "**" and isinstance(b, int) and 0 <= b <= 20 and size(a) <= 1000:
        return exact(Fraction(a) ** b), None
    return None, None


# --- tokens ----------------------------------------------------------------------------------------------------------

_TOKEN = re.compile(
    # A number is taken whole or not at all: the lookaheads refuse `1,000` of `1,000,0005` and `3` of `3.5x`.
    r"(?P<number>(?<![\w.])(?:(?:[0-9]{1,3}(?:(?:,|\{,\})[0-9]{3})+(?![0-9]|(?:,|\{,\})[0-9]{3})|[0-9]+)"
    r"(?:\.[0-9]+|(?!\.[0-9]))|\.[0-9]+)(?!\w))"
    r"|(?P<skip>[ \t&$]+|\\(?:[$,;:!%()]|(?:left|right|displaystyle)(?![A-Za-z]))|\\(?:text|mathrm)\{[^{}\n]*\})"
    r"|(?P<operator>\*\*|//|[-+*/^\u2212\u00d7\u00f7\u00b7]|\\(?:times|cdot|div)(?![A-Za-z]))"
    r"|(?P<macro>\\(?:[dt]?frac|boxed)(?![A-Za-z]))"
    r"|(?P<open>[({])|(?P<close>[)}])|(?P<equals>==?)|(?P<percent>%)|(?P<word>[^\W\d_]+(?!\w))|(?P<other>\w+|.)",
    re.DOTALL,
)
_SYMBOLS = {"\u2212": "-", "\u00d7": "*", "\u00b7": "*", "\\times": "*", "\\cdot": "*", "\u00f7": "/", "\\div": "/"}
_SYMBOLS |= {"^": "**"}
_JOINS = frozenset(
    ["of", "times", "plus", "minus", "by", "over", "half", "twice", "thrice", "double", "triple", "percent"]
)
"""Words that make what follows part of an arithmetic in words: `20 % of 50 = 10`."""
_RELATIONS = ("operator", "equals")
_STRENGTH = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "**": 4}
_SIGN = 3


class _Token(NamedTuple):
    kind: str
    """A group of the pattern; `hole`: an operand that cannot be read; `break`: the end of an equation."""
    text: str
    start: int
    end: int


def equations(text: str) -> Iterator[Equation]:
    """The equations between numbers that a text states, in order."""
    run: list[_Token] = []
    for token in (*_tokens(text[:LONGEST]), _Token("break", "", 0, 0)):
        if token.kind != "break":
            run.append(token)
            continue
        if any(t.kind == "equals" for t in run):
            equation = _equation(run, text)
            if equation is not None:
                yield equation
        run = []


def _tokens(text: str) -> Iterator[_Token]:
    matches = (match for match in _TOKEN.finditer(text) if match.lastgroup != "skip")
    tokens = [_Token(match.lastgroup or "", match[0], match.start(), match.end()) for match in matches]
    edge = _Token("break", "", -1, -1)
    braces: list[str] = []
    macro = ""
    for i, token in enumerate(tokens):
        kind = token.kind
        before, after = tokens[i - 1] if i else edge, tokens[i + 1] if i + 1 < len(tokens) else edge
        if kind == "operator":
            yield token._replace(text=_SYMBOLS.get(token.text, token.text))
        elif kind == "macro":
            macro = "frac" if "frac" in token.text else "boxed"
            if after.text != "{":
                yield token._replace(kind="hole")
        elif kind == "open":
            braces.append(macro if token.text == "{" else "")
            macro = ""
            yield token
        elif kind == "close":
            yield token
            if braces and braces.pop() == "frac" and after.text == "{":
                yield token._replace(kind="operator", text="/")
        elif kind == "word":
            yield from _word(token, before, after, tokens[i + 2] if i + 2 < len(tokens) else edge)
        elif kind == "other":
            part = token.text == "\\" or token.text[0].isalnum() or token.text[0] == "_"
            yield token._replace(kind="hole" if part else "break")
        else:
            yield token


def _word(token: _Token, before: _Token, after: _Token, later: _Token) -> Iterator[_Token]:
    """A word is a unit (`3 pens + 4`, one or two words), a sign (`3 x 4`), an operand (`x + 3`, `20 % of 50`), or
    what the sentence goes on with."""
    if token.text in ("x", "X") and before.kind == after.kind == "number":
        yield token._replace(kind="operator", text="*")
    elif token.text.lower() in _JOINS:
        yield token._replace(kind="hole")
    elif before.kind in ("number", "close", "percent"):
        if after.kind not in _RELATIONS and not (after.kind == "word" and later.kind in _RELATIONS):
            yield token._replace(kind="break")
    elif after.kind in _RELATIONS or before.kind in _RELATIONS or (after.kind == "open" and after.start == token.end):
        # The second word of a unit, or an operand: which one, what stands before it says.
        yield token._replace(kind="unit" if before.kind == "word" else "hole")
    else:
        yield token._replace(kind="break")


# --- sides -----------------------------------------------------------------------------------------------------------


class _Side(NamedTuple):
    value: Number
    numbers: tuple[Number, ...]
    computed: tuple[Computation, ...]
    operators: int
    slack: Fraction
    """Half a unit of the last digit of a lone decimal number: 10 / 3 = 3.33 holds."""


def _equation(run: list[_Token], text: str) -> Equation | None:
    """The equation that a run of tokens states; none if fewer than two sides can be read, or none is computed."""
    sides: list[list[_Token]] = [[]]
    for token in run:
        if token.kind == "equals":
            sides.append([])
        else:
            sides[-1].append(token)
    _strip(sides)
    percent = any(token.kind == "percent" for token in run)
    best = None
    for hundredths in (True, False) if percent else (True,):
        known = [side for side in (_side(tokens, hundredths) for tokens in sides) if side is not None]
        reference = next((side for side in known if side.operators), None)
        if reference is None or len(known) < 2:
            continue
        holds = all(size(side.value - reference.value) <= max(side.slack, reference.slack) for side in known)
        if best is None or holds:
            computed = [side for side in known if side.operators]
            best = Equation(
                " ".join(text[run[0].start : run[-1].end].split())[:SHOWN],
                holds,
                tuple(side.value for side in known),
                tuple(n for side in computed for n in side.numbers),
                tuple(c for side in computed for c in side.computed),
            )
        if best.holds:
            break
    return best


def _strip(sides: list[list[_Token]]) -> None:
    """Take away brackets that stand around a whole equation: `(3 + 4 = 7)`."""
    first, last = sides[0], sides[-1]
    opened = sum((t.kind == "open") - (t.kind == "close") for t in first)
    closed = sum((t.kind == "close") - (t.kind == "open") for t in last)
    depth = 0
    while depth < min(opened, closed) and first[depth].kind == "open" and last[-1 - depth].kind == "close":
        depth += 1
    sides[0] = first[depth:]
    sides[-1] = last[: len(last) - depth]


def _side(tokens: list[_Token], hundredths: bool) -> _Side | None:
    """Value of a side by precedence (the shunting yard); none if it is no expression in numbers."""
    values: list[Number] = []
    pending: list[str] = []
    numbers: list[Number] = []
    computed: list[Computation] = []
    operators = 0
    operand = True  # whether an operand comes next

    def reduce() -> bool:
        symbol = pending.pop()
        if symbol == "sign":
            values[-1] = -values[-1]
            return True
        b, a = values.pop(), values.pop()
        value, computation = apply(symbol, a, b)
        if computation is not None:
            computed.append(computation)
        if value is not None:
            values.append(value)
        return value is not None

    def push(symbol: str) -> bool:
        strength = _STRENGTH[symbol]
        while pending and pending[-1] != "(":
            top = _SIGN if pending[-1] == "sign" else _STRENGTH[pending[-1]]
            if top < strength or symbol == "**" == pending[-1]:
                break
            if not reduce():
                return False
        pending.append(symbol)
        return True

    for i, token in enumerate(tokens):
        if token.kind == "number":
            digits = token.text.replace(",", "").replace("{", "").replace("}", "")
            value = exact(Fraction(digits)) if len(digits) <= 30 else None
            if value is None or not operand:
                return None
            values.append(value)
            numbers.append(value)
            operand = False
        elif token.kind == "open":
            if not operand and not push("*"):  # 3(4 + 5)
                return None
            operators += not operand
            pending.append("(")
            operand = True
        elif token.kind == "close":
            while pending and pending[-1] != "(":
                if operand or not reduce():
                    return None
            if operand or not pending:
                return None
            pending.pop()
        elif token.kind == "operator":
            if operand:
                # A sign touches its number; a `-` apart from it at the start is a bullet, or goes on from what is lost.
                touches = i + 1 < len(tokens) and tokens[i + 1].start == token.end
                if token.text != "-" or not touches:
                    return None
                pending.append("sign")
                continue
            if not push(token.text):
                return None
            operators += 1
            operand = True
        elif token.kind == "percent":
            if operand:
                return None
            if hundredths:
                value = exact(Fraction(values[-1]) / 100)
                if value is None:
                    return None
                values[-1] = value
        elif token.kind != "unit" or operand:
            return None
    if operand:
        return None
    while pending:
        if pending[-1] == "(" or not reduce():
            return None
    decimals = len(tokens[-1].text.partition(".")[2]) if tokens[-1].kind == "number" and not operators else 0
    slack = Fraction(1, 2 * 10**decimals) if 0 < decimals <= 12 else Fraction(0)
    return _Side(values[-1], tuple(numbers), tuple(computed), operators, slack)
