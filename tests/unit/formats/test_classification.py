"""Formats: a partition, judged from the completion alone, in linear time."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from verify_data import rows

from echochamber.formats import FORMATS, degenerate
from echochamber.formats.classification import classify, clean, describe
from echochamber.formats.degenerate import loops

FUNCTION = "def simple_math_problem() -> int:\n    result = 3\n    return result"
CELL = "Let's compute.\n<llm-code>\n1 + 2\n</llm-code>\n<llm-code-output>\n3\n</llm-code-output>\n"


@pytest.mark.parametrize(
    ("completion", "expected"),
    [
        (FUNCTION, "tinygsm"),
        ("\n\n" + FUNCTION, "tinygsm"),
        ("Here it is:\n```python\n" + FUNCTION + "\n```", "tinygsm"),
        ("import math\n" + FUNCTION, "tinygsm"),
        ("def simple_math_problem(x: int = 3) -> float:\n    return x", "tinygsm"),
        (FUNCTION + "\n" + CELL, "tinygsm"),
        (CELL + FUNCTION, "omi1"),
        (CELL + "so \\boxed{3}", "omi1"),
        ("<llm-code>", "omi1"),
        ("so $\\boxed{3}$.", "omi2"),
        ("as defined, \\boxed{3}", "omi2"),
        ("The answer is: 3", "text"),
        ("By default we define x = 3; by definition a deficit is a defect.", "text"),
        ("Call def simple_math_problem(): in the text", "text"),
        ("x = 3\ny = 4\nso x + y = 7.", "text"),
        ("If we go on:\nwe find 5. Return the change. Print it from 3 to 4.", "text"),
        ("In total 1000000", "text"),
        ("Couch = 2 * 8 + 2 = 18 feet\nRug = 8 feet", "text"),
        ("and so on .....", "text"),
        ("", "other"),
        (" \n\t", "other"),
        ("</s>", "other"),
        ("and then he went " * 6, "other"),
        ("! " * 30, "other"),
        ("def solve():\n    return 3", "other"),
        ("def simple_math_problem(", "other"),
        ("import math\nprint(math.pi)", "other"),
        ("total_cost = 3\nchange = 10 - total_cost", "other"),
        ("3\n</llm-code>", "other"),
        ("llm-code>\n3\n</llm-code>\nso \\boxed{3}", "other"),
        ("<llm-code-output>3</llm-code-output> so \\boxed{3}", "other"),
        ("```\n3\n```", "other"),
    ],
)
def test_examples(completion: str, expected: str) -> None:
    assert classify(completion) == expected


@pytest.mark.parametrize(
    ("path", "field", "expected"),
    [
        ("tinygsm/outputs_64.jsonl", "code", {"tinygsm": 63, "other": 1}),
        ("tinygsm/rows_2.jsonl", "code", {"tinygsm": 2}),
        ("openmathinstruct1/rows_100.jsonl", "generated_solution", {"omi1": 78, "omi2": 22}),
        ("openmathinstruct2/rows_100.jsonl", "generated_solution", {"omi2": 100}),
        ("math500/test.jsonl", "solution", {"omi2": 500}),
        ("metamathqa/rows_3.jsonl", "response", {"omi2": 1, "text": 2}),
        ("gsm8k/test.jsonl", "answer", {"text": 1319}),
    ],
)
def test_real_rows(path: str, field: str, expected: dict[str, int]) -> None:
    found: dict[str, int] = {}
    for row in rows(path):
        label = classify(row[field])
        found[label] = found.get(label, 0) + 1
    assert found == expected


def test_the_end_token_is_no_part_of_a_completion() -> None:
    assert clean("\n\n 18 </s>") == "18"
    assert clean("18</s> and after") == "18"
    assert clean("18<|endoftext|></s>") == "18"
    assert classify(FUNCTION + "</s>") == "tinygsm"


def test_flags() -> None:
    assert describe(clean(FUNCTION), finished=False)[2] == {"truncated"}
    assert describe(clean(FUNCTION + "\nso \\boxed{3}"))[2] == {"mixed"}
    assert describe(clean(CELL + FUNCTION))[2] == {"mixed"}
    assert describe(clean(CELL + "so \\boxed{3}"))[2] == frozenset()
    assert describe(clean("\\boxed{3}" + " again and again" * 5))[0::2] == ("omi2", {"repeats"})


PIECES = [
    "def simple_math_problem():",
    "def",
    "\n",
    "<llm-code>",
    "</llm-code>",
    "\\boxed{",
    "}",
    "default",
    " ",
    "3",
    "</s>",
    "'''",
]


@given(
    st.lists(st.sampled_from([*PIECES, "The answer is", "return x", "é", "\x00", "\ud800"]), max_size=30).map("".join)
)
@settings(max_examples=500, deadline=None)
def test_every_text_has_one_format_and_the_first_marker_decides(text: str) -> None:
    label = classify(text)
    assert label in FORMATS
    assert classify(text + "</s>anything") == label
    seen = clean(text)
    notebook = seen.find("<llm-code>")
    starts = [
        i for i in range(len(seen)) if seen.startswith("def simple_math_problem():", i) and seen[:i][-1:] in ("", "\n")
    ]
    if starts and (notebook < 0 or starts[0] < notebook):
        assert label == "tinygsm"
    elif notebook >= 0:
        assert label == "omi1"
    elif "llm-code" in seen:
        assert label == "other"
    elif "\\boxed{" in seen:
        assert label == "omi2"
    else:
        assert label in ("other", "text")


def slow_loops(text: str) -> bool:
    """The definition, tried for every period."""
    for period in range(1, len(text) // degenerate.LOOP_REPEATS + 1):
        span = max(period * degenerate.LOOP_REPEATS, degenerate.LOOP_SPAN)
        if len(text) >= span and all(text[-i] == text[-i - period] for i in range(1, span - period + 1)):
            return True
    return False


@given(
    st.text("ab", max_size=40), st.text("abc", min_size=1, max_size=30), st.integers(1, 8), st.text("ab", max_size=6)
)
@settings(max_examples=400, deadline=None)
def test_loops_are_exactly_the_periodic_tails(head: str, unit: str, times: int, rest: str) -> None:
    for text in (head + unit * times, head + unit * times + unit[: len(rest)], head + unit * times + rest):
        assert loops(text) is slow_loops(text)
        if len(text) >= degenerate.LOOP_SPAN:
            assert degenerate._loops_by_borders(text) is slow_loops(text)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "unit",
    [
        " ",
        "\n",
        "a",
        "ab" * 30 + "\n",
        "def simple_math_problem(",
        "def simple_math_problem()\n",
        "<llm-code>",
        "\\boxed{",
        "{",
        "\\",
        "'",
        '"',
        "```\n",
        "x = 1\n",
        "import a ",
        "class a",
        "a" * 15 + "b" + "a" * 17,
        "_",
    ],
)
def test_a_megabyte_of_anything_is_read_in_linear_time(unit: str) -> None:
    """A quadratic step over a million characters would not end within the limit of this test."""
    text = unit * (10**6 // len(unit))
    for whole in (text, text + "x", "y" + text + "z:"):
        assert classify(whole) in FORMATS


def test_the_module_needs_no_torch() -> None:
    module = "echochamber.formats.classification"
    code = f"import sys, {module}; assert not {{'torch', 'transformers', 'sympy'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
