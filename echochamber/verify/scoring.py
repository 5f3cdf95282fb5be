"""Completion -> verdict. The paper's single number rests on these two functions.

`strict`: the answer must come from where the completion's format puts it; a number elsewhere in the text earns nothing.
`authors`: the released rules (`authors.py`), to compare with the paper's numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from echochamber.verify import formats, programs, verdict
from echochamber.verify.answers import Gold, decide, last_box, number_key, parse_gold
from echochamber.verify.sandbox import sandbox
from echochamber.verify.verdict import Verdict

Scorer = Literal["strict", "authors"]


def verify(completion: str, gold: str | int, *, scorer: Scorer = "strict", finished: bool = True) -> Verdict:
    """Judge one completion. See `verify_batch`."""
    return verify_batch([completion], [gold], scorer=scorer, finished=[finished])[0]


def verify_batch(
    completions: Sequence[str],
    golds: Sequence[str | int],
    *,
    scorer: Scorer = "strict",
    finished: Sequence[bool] | None = None,
) -> list[Verdict]:
    """Judge completions against their golds, in order; duplicates are executed once.

    `finished[i]` is False where generation ended without the end token. The verdicts do not depend on the order, the
    size of the batch or the process, unless the status is `timeout`. Raises ValueError for lists of unequal length, an
    unknown scorer or a gold without an answer; never because of what a completion holds.
    """
    if finished is None:
        finished = [True] * len(completions)
    if not len(completions) == len(golds) == len(finished):
        raise ValueError(
            f"verify_batch: found {len(completions)} completions, {len(golds)} golds, {len(finished)} finished"
        )
    seen: dict[tuple[str, bool], tuple] = {}
    verdicts = []
    for completion, gold, done in zip(completions, golds, finished, strict=True):
        key = (completion, bool(done))
        read = seen.get(key)
        if read is None:
            read = seen[key] = _read(completion, bool(done))
        verdicts.append(_judge(read, parse_gold(gold)))
    verdict.count_statuses(v.status for v in verdicts)
    return verdicts


def _read(completion: str, finished: bool):
    text = formats.clean(completion)
    label, start, flags = formats.describe(text, finished)
    if label == "tinygsm":
        found = programs.run_function(text, start, sandbox())
    elif label == "omi1":
        found = programs.run_notebook(text, sandbox())
    elif label == "omi2":
        found = _said(last_box(text))
    elif label == "text":
        found = _said(after_phrase(text))
    else:
        found = _said(None)
    return label, found, flags


def after_phrase(text: str) -> str | None:
    """What follows the last "The answer is" on its line (MetaMathQA's form); None without it."""
    _, phrase, rest = text.rpartition("The answer is")
    if not phrase:
        return None
    return rest.partition("\n")[0].strip().removeprefix(":").strip().removesuffix(".").strip() or None


def _said(answer: str | None) -> programs.Answered:
    answer = answer.strip() if answer else None
    return programs.Answered(answer, "ok" if answer else "no_answer")


def _judge(read, gold: Gold) -> Verdict:
    label, found, flags = read
    if found.answer is None:
        return Verdict(False, label, None, None, found.status, flags, found.executed)
    key = number_key(found.answer)
    correct = bool(decide(found.answer, gold)) if key is not None or gold.keys else found.answer in gold.texts
    if found.executed is not None and found.executed != found.answer and number_key(found.executed) != key:
        flags |= {"box_disagrees"}
    return Verdict(correct, label, found.answer, key or found.answer, found.status, flags, found.executed)
