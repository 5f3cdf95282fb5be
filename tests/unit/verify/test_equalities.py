"""Answers that are not equal though math-verify says so, answers that are though it does not; bounds of both."""

from __future__ import annotations

import pytest

from echochamber.verify import Verdict, verify
from echochamber.verify.answers import LONGEST_KEY, bounded, decide, number, number_key, parse_gold
from echochamber.verify.symbolic import read
from echochamber.verify.unreadable import lists_values, normal, unreadable


def boxed(answer: str, gold: str | int) -> Verdict:
    return verify(f"So it is \\boxed{{{answer}}}.", gold)


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        # Small numbers are told apart relatively.
        ("\\frac{1}{2006!}", "\\frac{1}{2004!}"),
        ("\\frac{1}{2^{98}}", "\\frac{1}{2^{99}}"),
        ("1/2^98", "1/2^99"),
        ("0.0000001", "0.0000002"),
        ("e^{-40}", "e^{-41}"),
        ("10^{-7}", 0),
        # A word is no product of its letters.
        ("Pairs", "Paris"),
        ("silent", "listen"),
        ("\\text{silent}", "\\text{listen}"),
        ("new roks", "New York"),
        # What stands between dots counts.
        ("1, 2, \\ldots, 10", "1, 3, \\ldots, 10"),
        ("1, 2, \\dots, 10", 10),
        ("1+2+\\cdots+9", "1+3+\\cdots+9"),
        # Prose with several numbers is no number.
        ("18\\text{ apples and }3\\text{ pears}", 18),
        ("5\\text{ hours }30\\text{ minutes}", 5),
        ("3\\mathrm{ kg, }18", 18),
        # Numerals with a base.
        ("1101_2", 1101),
        ("1101_{3}", "1101_2"),
        ("1102", "1101_2"),
        # No value.
        ("NaN", 0),
        ("\\log_1 1", 0),
        ("\\frac{0}{0}", 0),
        ("\\log_1 1", 18),
        # Programming languages.
        ("range(7, 18)", 18),
        ("0x12", 18),
        ("0x12", 0),
        ("0b10010", 10010),
        # A false equation.
        ("3 = 18", 18),
        # A number is one value, written once: a set forgets how often.
        ("18, 18", 18),
        ("18,18", 18),
        ("18; 18", 18),
        ("18 and 18", 18),
        ("18 \\text{ or } 18", 18),
        ("\\{18, 18\\}", 18),
        ("[18, 18]", 18),
        ("\\left[18,\\ 18\\right]", 18),
        ("x = 18, x = 18", 18),
        ("1/2, 1/2", "1/2"),
        # Two percentages a hundredfold apart.
        ("4000%", "40%"),
        ("0.4%", "40%"),
    ],
)
def test_these_are_not_equal(answer: str, gold: str | int) -> None:
    assert not boxed(answer, gold).correct


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("11 5/6", "71/6"),
        ("11 5/6", "\\frac{71}{6}"),
        ("11\\frac{5}{6}", "71/6"),
        ("-1 1/2", "-1.5"),
        ("\\$2\\ 1/2", "2.5"),
        ("40\\%", 40),
        ("40%", 40),
        ("40\\%", "0.4"),
        ("40", "40\\%"),
        ("0.4", "40\\%"),
        ("40%", "40\\%"),
        ("1101_{2}", "1101_2"),
        ("1101", "1101_2"),
        ("1101_2", 13),
        ("1, 2, \\ldots, 10", "1,2,\\dots,10"),
        ("\\frac{2}{2^{99}}", "\\frac{1}{2^{98}}"),
        ("\\frac{2005}{2005!}", "\\frac{1}{2004!}"),
        ("0.333333", "\\frac{1}{3}"),
        ("18\\text{ cm}^2", 18),
        ("18\\text{ and }19", "18, 19"),
        ("18, 18", "18, 18"),
        ("3, -3", "\\pm 3"),
        ("[-2, 7]", "x \\in [-2,7]"),
        ("{18}", 18),
        ("[18]", 18),
        ("\\{18\\}", 18),
        ("\\gcd(18, 36)", 18),
        ("\\max(18, 3)", 18),
        ("\\binom{18}{1}", 18),
        ("\\infty", "\\infty"),
        ("2 \\cdot 9 = 18", 18),
        ("A = 18", 18),
        ("(\\sqrt{2}+1)(\\sqrt{2}-1)-1", 0),
    ],
)
def test_these_are_equal(answer: str, gold: str | int) -> None:
    assert boxed(answer, gold).correct


@pytest.mark.parametrize(
    ("text", "several"),
    [
        ("18", False),
        ("1,000,000 + 1", False),
        ("1{,}000 + 1", False),
        ("18, in dollars", False),
        ("\\gcd(18, 36)", False),
        ("f(1, 2) + 3", False),
        ("\\frac{1, 2}{3}", False),
        ("(1, 2) + (3, 4)", False),
        ("1, 000", True),
        ("1,00", True),
        ("(3, 4)", True),
        ("\\left\\{ 3; 4 \\right\\}", True),
        ("3\\text{ and }4", True),
        ("3 or 4", True),
        ("((3, 4))", True),
    ],
)
def test_several_values_stand_beside_each_other(text: str, several: bool) -> None:
    assert lists_values(text) is several


@pytest.mark.parametrize(
    "text", ["18}{", "0} and \\boxed{18", "} \\boxed{18", "\\boxed{18}", "{18", "18\\", "\\fbox{18}"]
)
def test_a_returned_string_stays_in_its_box(text: str) -> None:
    found = verify(f"def simple_math_problem():\n    return {text!r}", 18)
    assert (found.correct, found.status) == (False, "ok")
    assert verify(f"def simple_math_problem():\n    return {text!r}", 0).correct is False


@pytest.mark.parametrize(("answer", "gold"), [("Paris", "paris"), ("\\text{New York}", "New  York"), ("cba", "abc")])
def test_words_are_compared_as_words_and_products_as_products(answer: str, gold: str) -> None:
    assert boxed(answer, gold).correct


def test_a_mixed_number_has_a_proper_fraction() -> None:
    assert number("11 5/6") == number("71/6")
    assert number("1 8") is None
    assert number("1 8/3") is None
    assert number("1 0/3") is None
    assert decide("1 8", parse_gold(18)) is None


@pytest.mark.parametrize("exponent", ["401", "9999", "9998", "400000000"])
def test_numbers_that_no_memory_holds_have_no_value(exponent: str) -> None:
    for text in (f"1e{exponent}", f"1,000e{exponent}", f"1e-{exponent}", f"2.5E+{exponent}"):
        assert number(text) is None
        found = boxed(text, 18)
        assert not found.correct
        assert len(found.answer_key or "") <= LONGEST_KEY
    assert number("1e400") == 10**400


@pytest.mark.parametrize(
    "reply",
    [
        {"status": "ok", "correct": True, "value": "9e+400000000", "key": None, "said": None},
        {"status": "ok", "correct": True, "value": "1/0", "key": None, "said": "x" * 10**6},
        {"status": "ok", "correct": "yes", "value": 3, "key": ["a"], "said": {}},
        {"status": "fine"},
        {},
        None,
        [],
        "ok",
    ],
)
def test_a_reply_is_read_as_the_text_of_a_stranger(reply: object) -> None:
    found = read(reply)
    assert found.status in ("ok", "crashed")
    assert len(found.key or "") <= LONGEST_KEY
    assert len(found.said or "") <= 1000
    assert found.correct is (isinstance(reply, dict) and reply.get("correct") is True)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "box", ["e^{10^{8}}", "2.5^{100000000}", "\\pi^{\\pi^{\\pi^\\pi}}", "1e9999", "1e5000", "1,000e9998"]
)
def test_no_box_hangs_or_ends_its_run(box: str) -> None:
    """These made the trainer write out a number of 400 million digits, or raise."""
    for rule in ("executed", "written", "authors"):
        found = verify(f"So it is \\boxed{{{box}}}.", 18, scorer=rule)
        assert not found.correct
        assert len(found.answer_key or "") <= LONGEST_KEY


def test_keys_are_bounded_and_still_tell_answers_apart() -> None:
    keys = {number_key("1" * 800 + last) for last in "0123456789"}
    assert len(keys) == 10
    assert max(map(len, keys)) <= LONGEST_KEY
    assert bounded("a" * LONGEST_KEY) == "a" * LONGEST_KEY
    assert boxed("1" * 800, "1" * 800).correct
    assert not boxed("1" * 800, "1" * 799 + "2").correct
    assert len(boxed("x" + "y" * 600, 18).answer_key) <= LONGEST_KEY


def test_percentages_and_numerals_have_keys_of_their_own() -> None:
    assert number_key("40\\%") == number_key("40 percent") == "40%"
    assert number_key("1101_2") == number_key("1101_{2}") == "1101_2"
    assert number_key("2a_{16}") == "2A_16"


def test_what_is_read_as_text_alone() -> None:
    assert unreadable("1, ..., 3", ["18"])
    assert unreadable("18", ["1, \\ldots, 3"])
    assert not unreadable("\\frac{1}{2}\\text{ cm}^2", ["18"])
    assert not unreadable("\\sin(x)", ["18"])
    assert not unreadable("\\text{Area(A)}", ["18"])
    assert normal("1,\\ 2, \\dots , 10") == normal("1,2,\\ldots,10") == "1,2,...,10"
    assert normal("1 8") != normal("18")
