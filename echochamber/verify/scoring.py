"""Completion -> verdict. Every number of a study rests on these two functions.

`strict`: the answer must come from where the completion's format puts it; a number elsewhere in the text earns nothing.
`authors`: the released rules (`authors.py`), to compare with the paper's numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from echochamber.verify import authors, formats, programs, verdict
from echochamber.verify.answers import LONGEST, Gold, decide, fast, last_box, number_key, parse_gold
from echochamber.verify.programs import Answered
from echochamber.verify.verdict import Verdict
from echochamber.verify.workers import sandbox, symbolic

Scorer = Literal["strict", "authors"]
PHRASE = "The answer is"


def verify(completion: str, gold: str | int, *, scorer: Scorer = "strict", finished: bool = True) -> Verdict:
    """Judge one completion; `verify_batch` says how."""
    return verify_batch([completion], [gold], scorer=scorer, finished=[finished])[0]


def verify_batch(
    completions: Sequence[str],
    golds: Sequence[str | int],
    *,
    scorer: Scorer = "strict",
    finished: Sequence[bool] | None = None,
) -> list[Verdict]:
    """Judge completions against their golds, in order; duplicates are executed once.

    `finished[i]` is False where generation ended without the end token. Verdicts do not depend on the order, the size
    of the batch or the process, unless a status is `timeout`. Raises ValueError for lists of unequal length, an unknown
    scorer or a gold without an answer, RuntimeError if a worker cannot be started; never because of a completion.
    """
    if finished is None:
        finished = [True] * len(completions)
    if not len(completions) == len(golds) == len(finished):
        lengths = f"{len(completions)} completions, {len(golds)} golds, {len(finished)} finished"
        raise ValueError(f"verify_batch: found {lengths}; allowed: equal numbers")
    if scorer not in _RULES:
        raise ValueError(f"scorer: found {scorer!r}, allowed: {', '.join(_RULES)}")
    read, judge = _RULES[scorer]
    readings, judged, verdicts = {}, {}, []
    for completion, gold, done in zip(completions, golds, finished, strict=True):
        key = (completion, gold, done)
        found = judged.get(key)
        if found is None:
            reading = readings.get((completion, done))
            if reading is None:
                reading = readings[completion, done] = read(completion, done)
            found = judged[key] = judge(*reading, parse_gold(gold))
        verdicts.append(found)
    verdict.count_statuses(found.status for found in verdicts)
    return verdicts


def _read_strict(completion: str, finished: bool) -> tuple[str, Answered, frozenset[str]]:
    text = formats.clean(completion)
    label, start, flags = formats.describe(text, finished)
    if label == "omi2":
        answered = _said(last_box(text))
    elif label == "tinygsm":
        answered = programs.run_function(text, start, sandbox())
    elif label == "omi1":
        answered = programs.run_notebook(text, sandbox())
    else:
        answered = _said(after_phrase(text) if label == "text" else None)
    return label, answered, flags


def after_phrase(text: str) -> str | None:
    """What follows the last "The answer is" on its line (MetaMathQA's form); None without it."""
    _, phrase, rest = text.rpartition(PHRASE)
    return rest.partition("\n")[0].strip(" \t\r:").removesuffix(".") or None if phrase else None


def _said(answer: str | None) -> Answered:
    answer = answer.strip() if answer else None
    return Answered(answer, "ok") if answer else Answered(None, "no_answer")


def _judge_strict(label: str, answered: Answered, flags: frozenset[str], gold: Gold) -> Verdict:
    answer, status, executed = answered.answer, answered.status, answered.executed
    if answer is None:
        return Verdict(False, label, None, None, status, flags, executed)
    if len(answer) > LONGEST:
        return Verdict(False, label, answer[:LONGEST], None, "limit", flags, executed)
    correct, key, symbolic_status = _compare(answer, gold)
    if symbolic_status != "ok":
        status = symbolic_status
    if executed is not None and executed != answer and not _same(answer, executed, key):
        flags |= {"box_disagrees"}
    return Verdict(correct, label, answer, key, status, flags, executed)


def _compare(answer: str, gold: Gold) -> tuple[bool, str | None, str]:
    """Correct, key and status of an answer: by arithmetic where that decides, by math-verify elsewhere."""
    key, decided = number_key(answer), decide(answer, gold)
    if key is not None and decided is not None:
        return decided, key, "ok"
    compared = symbolic().compare(answer, gold.texts)
    same_text = answer in gold.texts
    return (
        same_text or (compared.correct if decided is None else decided),
        key or compared.key,
        "ok" if same_text else compared.status,
    )


def _same(answer: str, executed: str, key: str | None) -> bool:
    """Whether a notebook's box and its executed value are one answer."""
    value = number_key(executed)
    if key is None or value is not None:
        return key == value
    return symbolic().compare(executed, [answer]).correct


def _read_authors(completion: str, finished: bool) -> tuple[authors.Found, str, frozenset[str]]:
    return authors.read(completion, sandbox()), completion, frozenset() if finished else frozenset({"truncated"})


def _judge_authors(found: authors.Found, completion: str, flags: frozenset[str], gold: Gold) -> Verdict:
    if found.output is not None and len(gold.texts) == 1:
        correct = fast(found.output, gold)
        if correct is not None:
            key = number_key(found.output)
            return Verdict(correct, found.format, found.output, key, found.status, flags, found.output)
    text = found.output if found.output is not None else completion.replace("</s>", "")
    compared = [symbolic().search(text, accepted) for accepted in gold.texts]
    best = next((one for one in compared if one.correct), compared[0])
    status = found.status if best.status == "ok" else best.status
    if status == "ok" and best.said is None:
        status = "no_answer"
    return Verdict(best.correct, found.format, best.said, best.key, status, flags, found.output)


_RULES = {"strict": (_read_strict, _judge_strict), "authors": (_read_authors, _judge_authors)}
