"""A second, independent reading of the embedded world's questions: plain text in, answer out, no graph, no numbers.

It knows English sentences only, one regular expression each, and refuses what it does not understand or what would
leave a person in doubt: a sum that does not say "together", a quantity that has changed and does not say "now".
"""

from __future__ import annotations

import re
from typing import NamedTuple

_FRACTION = {"half": 2, "a third": 3, "a quarter": 4}
_WHO = r"(?P<who>[A-Z][a-z]+(?: [A-H])?)"
_GROUP = r"(?P<who>[A-Z][a-z]+(?:, [A-Z][a-z]+)* and [A-Z][a-z]+)"
_OTHER = r"(?: (?:than|as) (?:in )?(?P<other>[A-Z].*?)(?: holds)?)?"
_N = r"(?P<n>\d+)"
_THING = r"(?!more|fewer)[a-z]+"


class _Story(dict):
    """What everyone has, and who has been through a change since being introduced."""

    def __init__(self) -> None:
        super().__init__()
        self.changed: set[str] = set()

    def change(self, who: str, value: int) -> None:
        self[who] = value
        self.changed.add(who)


class Reading(NamedTuple):
    answer: int
    operations: tuple[str, ...]


def read(question: str) -> Reading:
    """Follow the story sentence by sentence and answer the last one."""
    has = _Story()
    operations: list[str] = []
    *story, ask = re.findall(r"[^.?]+[.?]", question)
    pooled: str | None = None
    for sentence in (part.strip() for part in story):
        if found := re.fullmatch(rf"{_WHO} (?:has|holds) {_N} {_THING}\.", sentence) or re.fullmatch(
            rf"In {_WHO} there (?:are|is) {_N} {_THING}\.", sentence
        ):
            assert found["who"] not in has, "everyone is introduced once"
            has[found["who"]] = int(found["n"])
        elif found := _comparison(sentence):
            assert found["who"] not in has, "everyone is introduced once"
            other = found["other"] or _only(has)
            value, operation = _compare(_amount(other, has, operations), found)
            has[found["who"]] = value
            operations.append(operation)
        elif found := re.fullmatch(rf"{_GROUP} put their [a-z]+ together\.", sentence):
            pooled = found["who"]
            people = _people(pooled, has)
            has[pooled] = sum(has[name] for name in people)
            has.changed |= {pooled} if has.changed & set(people) else set()
            for name in people:
                del has[name]
            operations.append("total")
        elif found := re.fullmatch(rf"(?P<who>They|[A-Z][a-z]+) buys? {_N} [a-z]+\.", sentence):
            _change(has, pooled if found["who"] == "They" else found["who"], "+", int(found["n"]))
            operations.append("buy")
        elif found := re.fullmatch(rf"(?P<who>They|[A-Z][a-z]+) gives? away {_N} [a-z]+\.", sentence):
            _change(has, pooled if found["who"] == "They" else found["who"], "-", int(found["n"]))
            operations.append("give")
        elif found := re.fullmatch(
            rf"(?P<who>They|[A-Z][a-z]+) splits? (?:their|his|her) [a-z]+ into {_N} equal parts and keeps? one part\.",
            sentence,
        ):
            _divide(has, pooled if found["who"] == "They" else found["who"], int(found["n"]))
            operations.append("share")
        elif found := re.fullmatch(rf"Then {_N} [a-z]+ (?:are|is) added to {_WHO}\.", sentence):
            _change(has, found["who"], "+", int(found["n"]))
            operations.append("buy")
        elif found := re.fullmatch(rf"Then {_N} [a-z]+ (?:are|is) taken out of {_WHO}\.", sentence):
            _change(has, found["who"], "-", int(found["n"]))
            operations.append("give")
        elif found := re.fullmatch(
            rf"Then the [a-z]+ in {_WHO} are divided into {_N} equal parts, and only one part stays there\.", sentence
        ):
            _divide(has, found["who"], int(found["n"]))
            operations.append("share")
        else:
            raise AssertionError(f"not understood: {sentence}")
    return Reading(_ask(ask.strip(), has, operations), tuple(operations))


def _comparison(sentence: str) -> re.Match | None:
    what = rf"(?:{_N} (?P<kind>more|fewer)|(?P<m>\d+) times as many|(?P<part>half|a third|a quarter) as many)"
    thing = r"(?: (?!than|as)[a-z]+)?"
    return re.fullmatch(rf"{_WHO} (?:has|holds) {what}{thing}{_OTHER}\.", sentence) or re.fullmatch(
        rf"In {_WHO} there (?:are|is) {what}{thing}{_OTHER}\.", sentence
    )


def _compare(value: int, found: re.Match) -> tuple[int, str]:
    if found["m"]:
        return value * int(found["m"]), "times"
    if found["part"]:
        assert value % _FRACTION[found["part"]] == 0
        return value // _FRACTION[found["part"]], "fraction"
    sign = 1 if found["kind"] == "more" else -1
    return value + sign * int(found["n"]), found["kind"]


def _change(has: _Story, who: str, sign: str, n: int) -> None:
    has.change(who, has[who] + (n if sign == "+" else -n))


def _divide(has: _Story, who: str, parts: int) -> None:
    assert has[who] % parts == 0
    has.change(who, has[who] // parts)


def _only(has: _Story) -> str:
    (only,) = has
    return only


def _people(names: str, has: _Story) -> list[str]:
    """The names of a phrase; people who have put their things together stay one entry."""
    if names in has:
        return [names]
    people = re.split(r", | and ", names)
    entries: list[str] = []
    for name in people:
        (entry,) = [e for e in has if name in re.split(r", | and ", e)]
        if entry not in entries:
            entries.append(entry)
    return entries


def _amount(phrase: str, has: _Story, operations: list[str]) -> int:
    names = re.sub(r"(?: (?:has|have|holds))?(?: together)?(?: now)?$", "", phrase)
    assert (" and " in names) == ("together" in phrase), phrase
    entries = _people(names, has)
    if len(entries) > 1:
        operations.append("total")
    assert any(entry in has.changed for entry in entries) == phrase.endswith(" now"), phrase
    return sum(has[entry] for entry in entries)


def _ask(sentence: str, has: _Story, operations: list[str]) -> int:
    if re.fullmatch(r"How many [a-z]+ are in all the boxes together(?: now)?\?", sentence):
        operations.append("total")
        assert bool(has.changed) == ("now" in sentence), sentence
        return sum(has.values())
    found = re.fullmatch(r"How many(?: [a-z]+)? (?:does|do) (.*?) have((?: together)?(?: now)?)\?", sentence)
    assert found, f"not understood: {sentence}"
    return _amount(found[1] + found[2], has, operations)
