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

import re
from collections.abc import Collection
from fractions import Fraction

from echochamber.analysis.equations import Number, exact
from echochamber.analysis.traces import Trace

CATEGORIES = ("arithmetic", "misread", "wrong program", "crash", "no answer", "unfinished", "degenerate", "other")
CODE = ("tinygsm", "omi1")
CRASHES = ("syntax", "raised", "limit", "timeout", "crashed")
"""Statuses of a program that did not run to its end. `unsupported` is a limit of the sandbox and no crash."""

_DIGITS = re.compile(r"(?<![\w.])(?:[0-9]{1,3}(?:(?:,|\{,\}|\\!)[0-9]{3})++|[0-9]{1,15})(?:\.[0-9]{1,12})?+")
_FRACTION = re.compile(r"(?:([0-9]{1,9})\s?)?\b([0-9]{1,9})\s?/\s?([0-9]{1,9})|\\[dt]?frac\{([0-9]{1,9})\}\{([0-9]{1,9})\}")
_WORD = re.compile(r"[^\W\d_]++|%|\$")
_NAMED = "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split()
_NAMED += "seventeen eighteen nineteen twenty".split()
WORDS: dict[str, tuple[Number, ...]] = {word: (i,) for i, word in enumerate(_NAMED, start=2)}
WORDS |= {word: (10 * i,) for i, word in enumerate("thirty forty fifty sixty seventy eighty ninety".split(), start=3)}
_PARTS = "third quarter fifth sixth seventh eighth ninth tenth".split()
WORDS |= {word + s: (i, Fraction(1, i)) for i, word in enumerate(_PARTS, start=3) for s in ("", "s")}
WORDS |= {"fourth": (4, Fraction(1, 4)), "fourths": (4, Fraction(1, 4)), "hundred": (100,), "thousand": (1000,)}
WORDS |= dict.fromkeys(("half", "halves", "halved"), (2, Fraction(1, 2)))
WORDS |= dict.fromkeys(("twice", "double", "doubles", "doubled", "both", "pair", "pairs", "couple"), (2,))
WORDS |= dict.fromkeys(("thrice", "triple", "triples", "tripled"), (3,))
WORDS |= dict.fromkeys(("dozen", "dozens"), (12,))
WORDS |= dict.fromkeys(("day", "days", "daily"), (24, 7, 365)) | dict.fromkeys(("week", "weeks", "weekly"), (7, 52, 4))
WORDS |= dict.fromkeys(("month", "months", "monthly"), (12, 30, 4))
WORDS |= dict.fromkeys(("year", "years", "annual", "annually"), (12, 52, 365))
WORDS |= dict.fromkeys(("hour", "hours", "hourly", "minute", "minutes", "second", "seconds", "pm", "am"), (60, 3600, 24, 12))
WORDS |= dict.fromkeys(("percent", "%", "cent", "cents", "dollar", "dollars", "$", "meter", "meters"), (100, Fraction(1, 100)))
WORDS |= dict.fromkeys(("foot", "feet", "inch", "inches"), (12,)) | dict.fromkeys(("yard", "yards"), (3, 36))
WORDS |= dict.fromkeys(("pound", "pounds", "ounce", "ounces"), (16,))
WORDS |= dict.fromkeys(("km", "kilometer", "kilometers", "kg", "kilogram", "kilograms", "liter", "liters"), (1000,))
"""What a word of a question may stand for in its arithmetic."""
ALWAYS = frozenset((0, 1))
"""Numbers that may come from nowhere."""


def numbers_of(question: str) -> frozenset[Number]:
    """The numbers of a question: in digits, as fractions (with both parts), in words, and percentages as hundredths."""
    found: set[Number] = set(ALWAYS)
    for match in _DIGITS.finditer(question):
        value = exact(Fraction(re.sub(r"[^0-9.]", "", match[0])))
        if value is not None:
            found.add(value)
            if question[match.end() : match.end() + 1] in ("%", "\\"):
                found |= {exact(Fraction(value) / 100), 100 - value, 100 + value, exact(1 - Fraction(value) / 100)}
                found.add(exact(1 + Fraction(value) / 100))
    for match in _FRACTION.finditer(question):
        whole, *parts = match.groups()
        above, below = (int(part) for part in parts if part is not None)
        if below:
            found |= {exact(Fraction(above, below)), above, below, exact(int(whole or 0) + Fraction(above, below))}
    for match in _WORD.finditer(question.lower()):
        found.update(WORDS.get(match[0], ()))
    return frozenset(found)


def categorise(
    trace: Trace, numbers: Collection[Number], *, format: str, status: str, flags: Collection[str], finished: bool
) -> tuple[str, str]:
    """(category, what shows it) of a wrong completion.

    trace: of the completion; numbers: `numbers_of` its question; the rest as the verifier and the sampler said.
    """
    if "repeats" in flags:
        return "degenerate", ""
    if not finished:
        return "unfinished", ""
    if format in CODE and status in CRASHES:
        return "crash", status
    if status == "no_answer":
        return "no answer", ""
    if trace.false:
        return "arithmetic", trace.false[0]
    if format in CODE and "box_disagrees" in flags:
        return "arithmetic", "the box is not what the program gives"
    strange = next((number for number in trace.taken if number not in numbers), None)
    if strange is not None:
        return "misread", str(strange)
    if format in CODE and status == "ok":
        return "wrong program", ""
    return "other", ""
