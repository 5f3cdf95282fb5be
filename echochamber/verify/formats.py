"""Which format a completion is written in: a partition, judged from the text alone, in time linear in its length.

`tinygsm`  a line that starts with `def simple_math_problem(...)...:`, before any `<llm-code>`
`omi1`     `<llm-code>` comes first
`omi2`     neither, and a `\\boxed{`
`other`    empty, a degenerate loop, or code of another kind
`text`     the remaining prose

Unlike the paper's released rule (`'def' in text`), the words "define", "default" and "definition" are prose here, and
a completion that cannot be parsed still has a label, so shares always sum to 1. Imports neither torch nor a tokenizer.
"""

from __future__ import annotations

import re

from echochamber.settings import FORMATS

END_TOKENS = ("</s>", "<|endoftext|>")
LOOP_REPEATS = 5
LOOP_SPAN = 20
"""A tail counts as a loop if its unit repeats `LOOP_REPEATS` times over at least so many characters: the five zeros of
1,000,000 and an ellipsis are no loops."""

_DEFINITION = re.compile(r"^def simple_math_problem[ \t]*\(([^\n]*)$", re.MULTILINE)
_CODE_LINE = re.compile(
    r"^(?:```|[ \t]*+(?:(?:async )?def \w++[ \t]*+\(|class \w++[ \t]*+[:(]|import [\w.]++(?: as \w++)?[ \t]*+$"
    r"|from [\w.]++ import |print\(|for \w++ in [^\n]*+$(?<=:))|[ \t]++return\b)",
    re.MULTILINE,
)
_ASSIGNMENT = re.compile(r"[ \t]*+[a-z_][a-z0-9_]++[ \t]*+[-+*/%]?=[^=\n]++$")
_FAST_PERIODS = 5
_TAIL = 16
_CANDIDATES = 32


def clean(completion: str) -> str:
    """The completion up to its end token's text, without surrounding blank space."""
    for token in END_TOKENS:
        if token in completion:
            completion = completion.partition(token)[0]
    return completion.strip()


def definition(text: str) -> int:
    """Where the first whole signature line of `simple_math_problem` starts, or -1."""
    if "def simple_math_problem" not in text:
        return -1
    for match in _DEFINITION.finditer(text):
        _, closed, rest = match[1].partition(")")
        if closed and ":" in rest:
            return match.start()
    return -1


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
        found = text.rfind(tail, max(first, 0), limit)
        if found < 0:
            return False
        if _periodic(text, size - _TAIL - found):
            return True
        limit = found + _TAIL - 1
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
    """Whether prose-looking text is code of another kind: a line of Python syntax, a fence, a stray tag, or mostly
    assignments to lower-case names of two letters or more (`x = 5` is mathematics)."""
    if "</llm-code" in text or "<llm-code-output>" in text or _CODE_LINE.search(text):
        return True
    if "=" not in text:
        return False
    lines = [line for line in text.split("\n") if line.strip()]
    return len(lines) >= 2 and sum(_ASSIGNMENT.match(line) is not None for line in lines) * 2 > len(lines)


def classify(completion: str) -> str:
    """The format of a completion, one of `echochamber.settings.FORMATS`."""
    return _classify(clean(completion))[0]


def _classify(text: str) -> tuple[str, int]:
    """Format of cleaned text, and where its code starts (`tinygsm`, `omi1`; else -1)."""
    notebook = text.find("<llm-code>")
    function = definition(text)
    if function >= 0 and (notebook < 0 or function < notebook):
        return "tinygsm", function
    if notebook >= 0:
        return "omi1", notebook
    if "\\boxed{" in text:
        return "omi2", -1
    if not text or loops(text) or is_code(text):
        return "other", -1
    return "text", -1


def describe(text: str, finished: bool = True) -> tuple[str, int, frozenset[str]]:
    """Format, start of the code and flags (`truncated`, `mixed`, `repeats`) of text that `clean` returned."""
    label, start = _classify(text)
    flags = set()
    if not finished:
        flags.add("truncated")
    if label == "tinygsm":
        mixed = "<llm-code>" in text or "\\boxed{" in text
    else:
        mixed = label == "omi1" and definition(text) >= 0
    if mixed:
        flags.add("mixed")
    if loops(text):
        flags.add("repeats")
    return label, start, frozenset(flags) if flags else _NONE


_NONE: frozenset[str] = frozenset()
assert {"tinygsm", "omi1", "omi2", "text", "other"} == set(FORMATS)
