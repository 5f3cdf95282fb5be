"""Texts that are no solution in prose: loops, and code of another kind. In time linear in their length."""

from __future__ import annotations

import re

LOOP_REPEATS = 5
LOOP_SPAN = 20
"""A tail counts as a loop if its unit repeats `LOOP_REPEATS` times over at least so many characters: the five zeros of
1,000,000 and an ellipsis are no loops."""

_CODE_LINE = re.compile(
    r"^(?:```|[ \t]*(?:(?:async )?def \w+[ \t]*\(|class \w+[ \t]*[:(]|import [\w.]+(?: as \w+)?[ \t]*$"
    r"|from [\w.]+ import |print\(|for \w+ in [^\n]*$(?<=:))|[ \t]+return\b)",
    re.MULTILINE,
)
_ASSIGNMENT = re.compile(r"[ \t]*[a-z_][a-z0-9_]+[ \t]*[-+*/%]?=[^=\n]+$")
_FAST_PERIODS = 5
_TAIL = 16
_CANDIDATES = 32


def loops(text: str) -> bool:
    """Whether `text` ends in one unit repeated `LOOP_REPEATS` times or more."""
    size = len(text)
    if size < LOOP_SPAN:
        return False
    last = text[-1]
    for period in range(1, _FAST_PERIODS):
        if text[-1 - period] == last and _periodic(text, period):
            return True
    # A longer period p repeats the last 16 characters p places earlier: look at those places only.
    tail, first, limit = text[-_TAIL:], size - _TAIL - size // LOOP_REPEATS, size - _FAST_PERIODS
    for _ in range(_CANDIDATES):
        index = text.rfind(tail, max(first, 0), limit)
        if index < 0:
            return False
        if _periodic(text, size - _TAIL - index):
            return True
        limit = index + _TAIL - 1
    return _loops_by_borders(text)


def _periodic(text: str, period: int) -> bool:
    span = max(period * LOOP_REPEATS, LOOP_SPAN)
    return len(text) >= span and text[-span:-period] == text[period - span :]


def _loops_by_borders(text: str) -> bool:
    """The same answer for texts with many candidates, in linear time (the Z algorithm on the reversed text)."""
    text = text[::-1]
    size = len(text)
    reach = [0] * size
    left = right = 0
    for i in range(1, size // LOOP_REPEATS + 1):
        k = min(right - i, reach[i - left]) if i < right else 0
        while i + k < size and text[k] == text[i + k]:
            k += 1
        reach[i] = k
        if i + k > right:
            left, right = i, i + k
        if k + i >= max(LOOP_REPEATS * i, LOOP_SPAN):
            return True
    return False


def is_code(text: str) -> bool:
    """Whether prose-looking text is code of another kind: a line of Python syntax, a fence, or mostly assignments to
    lower-case names of two letters or more (`x = 5` is mathematics)."""
    if _CODE_LINE.search(text):
        return True
    if "=" not in text:
        return False
    lines = [line for line in text.split("\n") if line.strip()]
    return len(lines) >= 2 and sum(_ASSIGNMENT.match(line) is not None for line in lines) * 2 > len(lines)
