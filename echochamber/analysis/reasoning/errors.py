"""What kind of error a wrong completion makes, by rule: no model judges. Pure.

The categories are a partition of the wrong completions. The first that applies is the one:

| category | when |
|---|---|
| degenerate | it ends in a loop |
| unfinished | it was cut off before its end token |
| crash | its program does not run to the end: syntax, an exception, a limit |
| no answer | no answer where its format puts it |
| arithmetic | an equation in it is false, or a program's output is not what the program gives |
| misread | it computes with a number that is neither in the question nor a result of its own |
| wrong program | its program runs and gives a wrong value |
| other | none of these: true equations on the question's numbers, but the wrong ones |

So what kept a completion from an answer comes first, then what can be shown to be false in it, then what it took from
elsewhere. Numbers that a question says in words count as being in it ("half", "a dozen", "a week"), and 0 and 1 always
do: counters start there. `wrong program` and `other` are one thing in code and in prose, wrong operations; formula,
algebra and notation, which the paper's judge tells apart, no rule can see.
"""

from __future__ import annotations

from collections.abc import Collection

from echochamber.formats import BY_LABEL
from echochamber.verify.reasoning.equations import Number
from echochamber.verify.reasoning.traces import Trace

CATEGORIES = ("arithmetic", "misread", "wrong program", "crash", "no answer", "unfinished", "degenerate", "other")
CODE = tuple(name for name, form in BY_LABEL.items() if form.program)
CRASHES = ("syntax", "raised", "limit", "timeout", "crashed")
"""Statuses of a program that did not run to its end. `unsupported` is a limit of the sandbox and no crash."""


def categorise(
    trace: Trace, numbers: Collection[Number], *, format: str, status: str, flags: Collection[str], finished: bool
) -> tuple[str, str | None]:
    """(category, what shows it, if it is in the text) of a wrong completion.

    trace: of the completion; numbers: `quantities.numbers_of` its question; the rest: as verifier and sampler said.
    """
    if "repeats" in flags:
        return "degenerate", None
    if not finished:
        return "unfinished", None
    if format in CODE and status in CRASHES:
        return "crash", status
    if status == "no_answer":
        return "no answer", None
    if trace.false:
        return "arithmetic", trace.false[0]
    if format in CODE and "box_disagrees" in flags:
        return "arithmetic", "the box is not what the program gives"
    strange = next((number for number in trace.taken if number not in numbers), None)
    if strange is not None:
        return "misread", str(strange)
    if format in CODE and status == "ok":
        return "wrong program", None
    return "other", None
