"""The rules by which a completion earns its reward: who is right, and where the answer stands.

`executed` and `written` look at one place for each format, and have nothing to fall back on:

| format | `executed` | `written` |
|---|---|---|
| `tinygsm` | what its function returns | the same |
| `omi1` | the value of its last closed block, whatever it boxes | the box after its last tag, whatever its code gives |
| `omi2` | its last box | the same |
| `text` | what follows its last "The answer is" | the same |
| `other` | nothing | nothing |

`authors`: the released rules, faults included (`authors.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from echochamber.formats import BY_LABEL, RuleName, Truncated
from echochamber.formats.format import Place
from echochamber.verify.answers import LONGEST, Gold, fast, number_key
from echochamber.verify.comparison import compare, same
from echochamber.verify.completion import Completion, stated
from echochamber.verify.programs import Answered
from echochamber.verify.verdict import Verdict
from echochamber.verify.workers import symbolic

Places = Mapping[str, Callable[[Completion], Answered]]
"""Format -> the one place where its answer stands; a format that is missing has no answer."""


def _reader(extractor: Place | Callable[[str], str | None]) -> Callable[[Completion], Answered]:
    """What reads a place: a method of the completion, or what a format finds in its text."""
    if isinstance(extractor, str):
        method: Callable[[Completion], Answered] = getattr(Completion, extractor)
        return method
    return lambda completion: stated(extractor(completion.text))


EXECUTED: Places = {name: _reader(form.executed) for name, form in BY_LABEL.items() if form.executed}
WRITTEN: Places = {
    name: _reader(written) for name, form in BY_LABEL.items() if (written := form.written or form.executed)
}
PLACES: Mapping[str, Places] = {"executed": EXECUTED, "written": WRITTEN}


def judge(completion: Completion, gold: Gold, rule: RuleName, truncated: Truncated) -> Verdict:
    """The verdict of one rule. `authors` judges truncated completions as the released code does: like any other."""
    if rule == "authors":
        return _judge_authors(completion, gold)
    label, flags = completion.format, completion.flags
    if truncated == "wrong" and not completion.finished:
        return Verdict(False, label, None, None, "truncated", flags)
    reader = PLACES[rule].get(label)
    answered = reader(completion) if reader else Answered(None, "no_answer")
    answer = answered.answer
    if answer is None:
        return Verdict(False, label, None, None, answered.status, flags)
    if len(answer) > LONGEST:
        return Verdict(False, label, answer[:LONGEST], None, "limit", flags)
    correct, key, status = compare(answer, gold)
    if reader is Completion.last_value:
        box = completion.box_after_code().answer
        if box is not None and not same(box[:LONGEST], answer):
            flags |= {"box_disagrees"}
    return Verdict(correct, label, answer, key, status if status != "ok" else answered.status, flags)


def _judge_authors(completion: Completion, gold: Gold) -> Verdict:
    flags = frozenset() if completion.finished else frozenset({"truncated"})
    reading = completion.released()
    if reading.output is not None and len(gold.texts) == 1:
        correct = fast(reading.output, gold)
        if correct is not None:
            return Verdict(correct, reading.format, reading.output, number_key(reading.output), reading.status, flags)
    text = reading.output if reading.output is not None else completion.completion.replace("</s>", "")
    compared = [symbolic().search(text, accepted) for accepted in gold.texts]
    best = next((one for one in compared if one.correct), compared[0])
    status = reading.status if best.status == "ok" else best.status
    if status == "ok" and best.said is None:
        status = "no_answer"
    return Verdict(best.correct, reading.format, best.said, best.key, status, flags)
