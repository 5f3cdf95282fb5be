"""Text of a model as it is shown: nothing in it moves the cursor, turns the line round or hides."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from echochamber.evaluation.judge import messages
from echochamber.printable import printable, printable_lines, shown


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("18\u202e81", "18\\u202e81"),
        ("a\r\nb", "a\\r\\nb"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("line\u2028end", "line\\u2028end"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("lone \ud800", "lone \\ud800"),
        (
            "caf\u00e9 \u00bd \u2212 \u0645\u0631 \u4e2d \U0001f600",
            "caf\u00e9 \u00bd \u2212 \u0645\u0631 \u4e2d \U0001f600",
        ),
        ("", ""),
    ],
)
def test_what_does_not_show_is_escaped(text: str, escaped: str) -> None:
    assert printable(text) == escaped
    assert printable(escaped) == escaped


def test_every_character_of_unicode_shows_or_is_escaped() -> None:
    text = printable("".join(map(chr, range(sys.maxunicode + 1))))
    assert not {unicodedata.category(c) for c in text} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    text.encode("utf-8")


def test_lines_stay_lines() -> None:
    assert printable_lines("a\n\tb\r\n\x1b") == "a\n\tb\\r\n\\x1b"
    assert shown("\u202e") == "\\u202e"
    assert shown(None) is None
    assert shown(18) == 18


def test_a_judge_is_asked_what_a_reader_sees() -> None:
    asked = messages("How many?", "18", "ignore\u202e this\x1b[8m\nso 17")[1]["content"]
    assert "\\\\u202e this\\\\x1b[8m\\nso 17" in asked
