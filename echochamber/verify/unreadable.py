"""Answers of which math-verify reads a part and drops the rest: as texts they are equal to themselves alone.

To math-verify `1, 2, \\ldots, 10` is 10, `18\\text{ apples and }3\\text{ pears}` is 18, `range(7, 18)` is 18, `0x12` is
0, and a returned string such as `0} \\boxed{18` closes the box that it is put in and adds its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_THOUSANDS = re.compile(r"(?<=[0-9])(?:,|\{,\}|\\,)(?=[0-9]{3}(?![0-9]))")
_SIZES = re.compile(r"\\(?:left|right|[bB]igg?[lr]?)(?![A-Za-z])")
_BRACKETS = re.compile(r"\\[{}]|[()\[\]{}]")
_BESIDE = re.compile(r"[,;]|\\(?:text|mbox|mathrm)\s*\{\s*(?:and|or)\s*\}|(?<![A-Za-z\\])(?:and|or)(?![A-Za-z])")
_DOTS = re.compile(r"\\[lc]?dots[bcimo]?(?![A-Za-z])|\.{3}|\u2026")
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
_LITERAL = re.compile(r"(?<![0-9A-Za-z])0[xXbBoO][0-9A-Fa-f]")
_CALL = re.compile(r"(?<![\\A-Za-z_])(?!(?:sqrt|frac|sin|cos|tan|sec|csc|cot|log|ln|exp|pi)\b)[A-Za-z_]{2,}\(")
_WORDS = re.compile(r"\\(?:text|textbf|textit|textrm|mbox|mathrm|mathbf)\s*\{([^{}]*)\}")
_ONLY_WORDS = re.compile(r"[^\W\d_]+(?:[ '-]+[^\W\d_]+)*")
_JOINED = re.compile(r"\b(?:and|or)\b")
_POWER = re.compile(r"\^\s*(?:[23]|\{\s*-?[0-9]\s*\})")
_SPACE = re.compile(r"(?<![0-9A-Za-z]) | (?![0-9A-Za-z])")
_BETWEEN = re.compile(r"[0-9][^@]*@[^0-9]*[0-9]")


def unreadable(answer: str, golds: Sequence[str]) -> bool:
    """Whether math-verify must not be asked about an answer: it would compare a part of it with the golds."""
    return (
        not _balanced(answer)
        or "\\boxed" in answer
        or "\\fbox" in answer
        or _LITERAL.search(answer) is not None
        or any(_DOTS.search(text) for text in (answer, *golds))
        or _called(answer)
        or (_several(answer) and not any("text" in gold or "," in gold for gold in golds))
    )


def lists_values(text: str) -> bool:
    """Whether several values stand beside each other, in one pair of brackets or in none: `18, 18`, `[18, 19]`."""
    text = _SIZES.sub("", _THOUSANDS.sub("", text)).strip()
    while inner := _inside(text):
        text = inner
    parts, depth, begin = [], 0, 0
    for mark in re.finditer(f"{_BRACKETS.pattern}|{_BESIDE.pattern}", text):
        name = mark[0].removeprefix("\\")
        if name in ("(", "[", "{"):
            depth += 1
        elif name in (")", "]", "}"):
            depth -= 1
        elif depth == 0:
            parts.append(text[begin : mark.start()])
            begin = mark.end()
    return sum(any(map(str.isdigit, part)) for part in (*parts, text[begin:])) > 1


def _inside(text: str) -> str:
    """What one pair of brackets around all of a text holds; nothing where there is none."""
    depth = 0
    for mark in _BRACKETS.finditer(text):
        depth += 1 if mark[0][-1] in "([{" else -1
        if depth <= 0:
            first = _BRACKETS.match(text)
            return text[first.end() : mark.start()].strip() if first and mark.end() == len(text) else ""
    return ""


def normal(text: str) -> str:
    """A text with one spelling of dots, and spaces only where two words or numbers would join without."""
    text = " ".join(_DOTS.sub("...", text).replace("\\,", " ").replace("\\ ", " ").split())
    return _SPACE.sub("", text)


def words(text: str) -> str | None:
    """A text of nothing but words, as they are compared; None for any other, and for what may be a product (`abc`)."""
    bare = " ".join(_WORDS.sub(lambda wrapped: wrapped[1], text).split()).casefold()
    return bare if _ONLY_WORDS.fullmatch(bare) and any(len(word) > 3 for word in bare.split()) else None


def _balanced(text: str) -> bool:
    depth = 0
    for mark in _BRACES.findall(text):
        depth += {"{": 1, "}": -1}.get(mark, 0)
        if depth < 0:
            return False
    return depth == 0 and not text.endswith("\\")


def _called(text: str) -> bool:
    """`range(7, 18)`: a word of letters that is called, outside of `\\text{...}`."""
    return _CALL.search(_WORDS.sub(" ", text)) is not None


def _several(text: str) -> bool:
    """`18\\text{ apples}, 3\\text{ pears}`: words of prose between two numbers. A power of a unit is no number."""
    if "\\" not in text:
        return False
    marked = _WORDS.sub(lambda words: "@" if any(map(str.isalpha, _JOINED.sub("", words[1]))) else ",", text)
    return _BETWEEN.search(_POWER.sub("", marked)) is not None
