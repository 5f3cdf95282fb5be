"""Bad rewards of a grid file: one line each, which says where, what was found and what is allowed."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from echochamber.grid import parsing

PACK = parsing.read(Path(__file__).parents[3] / "config/packs/spurious-rewards.yaml")
NAMES = "executed, written, authors, random, boxed, majority-vote, wrong-label, format:tinygsm"


def said(reward: object) -> str:
    config = copy.deepcopy(PACK)
    config["algorithms"]["random"]["reward"] = reward
    with pytest.raises(parsing.GridError) as raised:
        parsing.parse(config, "x.yaml")
    return str(raised.value)


@pytest.mark.parametrize(
    ("reward", "line"),
    [
        ("nope", f": found 'nope', allowed: {NAMES}"),
        ("regex", ": found 'regex', allowed: a mapping with `kind: regex`, or a name"),
        ("strict", ": found 'strict', allowed: executed (the value"),
        (5, ".kind: found nothing, allowed: one of the kinds"),
        ({}, ".kind: found nothing, allowed: one of the kinds"),
        ({"kind": "no"}, ".kind: found 'no', allowed: 'name', 'exact'"),
        ({"kind": "regex"}, ".pattern: found nothing, allowed: a value"),
        ({"kind": "regex", "pattern": "("}, ".pattern: found '(' (missing ), unterminated subpattern"),
        ({"kind": "regex", "pattern": "a{99999999999}"}, ".pattern: found 'a{99999999999}' (the repetition number is"),
        ({"kind": "regex", "pattern": "a", "x": 1}, ".x: unknown key, allowed: kind, pattern"),
        ({"kind": "length", "full": 10, "free": 10}, ": free: found 10, allowed: less than full, 10"),
        ({"kind": "function", "name": "nomod:f"}, ": name: found 'nomod:f', allowed: module:function of nomod.py in "),
        ({"kind": "function", "name": "json:nof"}, ": name: found 'json:nof', allowed: a function that "),
        ({"kind": "function", "name": "json:dumps", "seconds": 0}, ".seconds: found 0, allowed: greater than 0"),
        ({"kind": "mixture", "parts": {}}, ".parts: found {}, allowed: "),
        ({"kind": "mixture", "parts": {"a": {"reward": "nope"}}}, ".parts.a.reward: found 'nope', allowed: "),
        ({"kind": "mixture", "parts": {"a": {"reward": {"kind": "mixture"}}}}, ".parts.a.reward.kind: found 'mixture'"),
        ({"kind": "mixture", "parts": {"a b": {"reward": "random"}}}, ".parts: found the name 'a b', allowed: "),
    ],
)
def test_bad_rewards(reward, line):
    text = said(reward)
    assert text.startswith(f"x.yaml: algorithms.random.reward{line}")
    assert "\n" not in text
