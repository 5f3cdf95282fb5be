"""Whether two answers are the same: by arithmetic where that decides, by math-verify elsewhere."""

from __future__ import annotations

from echochamber.verify.answers import Gold, bounded, decide, number_key, parse_gold
from echochamber.verify.unreadable import lists_values, normal, unreadable, words
from echochamber.verify.workers import symbolic


def compare(answer: str, gold: Gold) -> tuple[bool, str | None, str]:
    """Correct, canonical key and status of an answer."""
    key, decided = number_key(answer), decide(answer, gold)
    if key is not None and decided is not None:
        return decided, key, "ok"
    if unreadable(answer, gold.texts):
        text = normal(answer)
        return text in map(normal, gold.texts), key or bounded(text), "ok"
    written = words(answer)
    if written and all(map(words, gold.texts)):  # to math-verify a word is the product of its letters: an anagram is it
        return written in map(words, gold.texts), bounded(normal(answer)), "ok"
    same = answer in gold.texts
    compared = symbolic().compare(answer, gold.texts)
    if decided is None and not same and compared.correct and gold.keys is not None and lists_values(answer):
        return False, bounded(normal(answer)), "ok"  # to math-verify `18, 18` is the set of 18, and that is 18
    return (
        same or (compared.correct if decided is None else decided),
        key or compared.key,
        "ok" if same else compared.status,
    )


def same(answer: str, other: str) -> bool:
    """Whether two answers of a completion, such as a notebook's box and its value, are one."""
    return answer == other or compare(other, parse_gold(answer))[0]
