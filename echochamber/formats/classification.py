"""Which format a completion is written in: a partition, judged from the text alone, in time linear in its length.

`tinygsm`  a line that starts with `def simple_math_problem(...)...:`, before any `<llm-code>`
`omi1`     `<llm-code>` comes first
`omi2`     none of these, and a `\\boxed{`
`other`    empty, a degenerate loop, code of another kind, or a notebook's tag without any `<llm-code>`
`text`     the remaining prose

Unlike the paper's released rule (`'def' in text`), the words "define", "default" and "definition" are prose here, and
a completion that cannot be parsed still has a label, so shares always sum to 1. Imports neither torch nor a tokenizer.
"""

from __future__ import annotations

from echochamber.formats import BY_LABEL
from echochamber.formats.degenerate import loops

END_TOKENS = ("</s>", "<|endoftext|>")
_MARKED = [(label, form.starts) for label, form in BY_LABEL.items() if form.starts]
_OTHERS = [(label, form.holds) for label, form in BY_LABEL.items() if not form.starts]


def clean(completion: str) -> str:
    """The completion up to its end token's text, without surrounding blank space."""
    for token in END_TOKENS:
        if token in completion:
            completion = completion.partition(token)[0]
    return completion.strip()


def classify(completion: str) -> str:
    """The format of a completion, one of `echochamber.formats.FORMATS`."""
    return _classify(clean(completion))[0]


def _classify(text: str) -> tuple[str, int]:
    """Format of cleaned text, and where its mark stands (-1: it has none)."""
    marks = [(start, label) for label, starts in _MARKED if (start := starts(text)) >= 0]
    if marks:
        start, label = min(marks, key=lambda mark: mark[0])
        return label, start
    return next(label for label, holds in _OTHERS if holds(text)), -1


def describe(text: str, finished: bool = True) -> tuple[str, int, frozenset[str]]:
    """Format, place of its mark and flags (`truncated`, `mixed`, `repeats`) of text that `clean` returned."""
    label, start = _classify(text)
    flags = set()
    if not finished:
        flags.add("truncated")
    if BY_LABEL[label].mixed(text):
        flags.add("mixed")
    if loops(text):
        flags.add("repeats")
    return label, start, frozenset(flags) if flags else _NONE


_NONE: frozenset[str] = frozenset()
