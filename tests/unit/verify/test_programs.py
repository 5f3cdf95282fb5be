"""Programs: what is cut out of a completion, what it answers, and the status of those that do not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echochamber.formats.tinygsm import definition
from echochamber.verify import counters, verify, verify_batch, verify_by_rules
from echochamber.verify.programs import cells, function_source

FUNCTION = "def simple_math_problem() -> int:\n    '''\n    Anna's 3 bags.\n    '''\n    bags = 3\n    return bags * 6"


def source(text: str) -> str | None:
    return function_source(text, definition(text))


@pytest.mark.parametrize(
    "completion",
    [
        FUNCTION,
        FUNCTION.replace("'''", '"""'),
        FUNCTION.replace("Anna's 3 bags.", 'Anna\'s "3" bags. # of them\nat the left margin, def x():'),
        FUNCTION + "\n\nSo the answer is 18 bags = 3 * 6.",
        FUNCTION + "</s>",
        FUNCTION + "\n",
        "\n\n" + FUNCTION,
        "```python\n" + FUNCTION + "\n```",
        "Let us write a function:\n```\n" + FUNCTION + "\n```\nIt's 18.",
        FUNCTION + "\n```\nIt's done",
        "import math\n\n" + FUNCTION.replace("bags * 6", "math.floor(bags * 6.1)"),
        "def double(x):\n    return 2 * x\n\n" + FUNCTION.replace("bags * 6", "double(9)"),
        FUNCTION.replace("bags * 6", "double(9)") + "\n\ndef double(x):\n    return 2 * x",
        "PRICE: int = 6\n" + FUNCTION.replace("* 6", "* PRICE"),
        FUNCTION + "\n\nprint(simple_math_problem())",
        FUNCTION + "\n\nresult = simple_math_problem(1, 2)",
        FUNCTION.replace("return bags * 6", "# a comment, it's one\n\n    return bags * 6  # 'open quote"),
        FUNCTION.replace("bags * 6", "(\nbags\n * 6\n)"),
        FUNCTION.replace("bags * 6", "sum([6] * bags)"),
        FUNCTION.replace("return bags * 6", "import math\n    return math.ceil(17.2)"),
        FUNCTION.replace("return bags * 6", "text = '''\nIt's 18\n'''\n    return text.split()[-1]"),
        FUNCTION.replace("bags * 6", "f'{bags * 6}'"),
        FUNCTION.replace("bags * 6", "'$18.00'"),
        FUNCTION.replace("bags * 6", "'18 bags'"),
        FUNCTION.replace("bags * 6", "bags * 6.0"),
        FUNCTION.replace("\n", "\r\n"),
        "def simple_math_problem():\n    return 4\n\n" + FUNCTION,  # as in Python, the last definition counts
    ],
)
def test_surface_forms_of_a_function_that_returns_18(completion: str) -> None:
    verdict = verify(completion, 18)
    assert (verdict.format, verdict.correct, verdict.answer_key, verdict.status) == ("tinygsm", True, "18", "ok")


def test_prose_around_a_function_is_dropped() -> None:
    text = f"Apples = 3 per bag, import them\n{FUNCTION}\nSo = we say\nfrom here on: nothing"
    assert source(text) == FUNCTION


@given(st.lists(st.sampled_from(["'", '"', "\\", "#", "'''", '"""', "a", " "]), max_size=12))
@settings(max_examples=300, deadline=None)
def test_quotes_in_a_docstring_or_comment_never_hide_the_rest(parts: list[str]) -> None:
    """Whatever stands in a comment, or escaped in a docstring, the function still ends where Python ends it."""
    noise = "".join(parts)
    text = f"def simple_math_problem():\n    x = 1  # {noise}\n    return x\nprose '''here'''"
    assert source(text).endswith("return x")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("return 1 +", "syntax"),
        ("return '\ud800", "syntax"),
        ("return 1 / 0", "raised"),
        ("return undefined", "raised"),
        ("raise SystemExit", "raised"),
        ("raise TimeoutError('mine')", "raised"),
        ("import sympy\n    return 18", "unsupported"),
        ("from fractions import Fraction\n    return 18", "unsupported"),
        ("yield 18", "unsupported"),
        ("return 10 ** 10 ** 8", "limit"),
        ("return simple_math_problem()", "limit"),
        ("print('a' * 5000)\n    return 18", "limit"),
        (f"x = {' + '.join(['1'] * 3000)}\n    return 18", "limit"),
        ("while True: pass", "timeout"),
        ("return None", "no_answer"),
        ("pass", "no_answer"),
        ("return {}", "no_answer"),
        ("return 10 ** 5000", "no_answer"),
        ("return float('nan')", "no_answer"),
        ("return lambda: 18", "ok"),
        ("return 'eighteen'", "ok"),
        ("return [18]*2", "ok"),
        ("return True", "ok"),
        ("return 17", "ok"),
    ],
)
def test_statuses(body: str, status: str) -> None:
    verdict = verify(f"def simple_math_problem():\n    {body}", 18)
    assert (verdict.correct, verdict.status) == (False, status)


def notebook(*blocks: str, end: str = "") -> str:
    cells_ = [f"<llm-code>\n{code}\n</llm-code>\n<llm-code-output>\n?\n</llm-code-output>" for code in blocks]
    return "Let's compute.\n" + "\nAnd then:\n".join(cells_) + end


def last(rule: str, completion: str) -> tuple[str | None, str]:
    verdict = verify(completion, 18, scorer=rule)
    assert verdict.format == "omi1"
    assert verdict.correct is (verdict.answer_key == "18")
    return verdict.answer, verdict.status


NOTHING = (None, "no_answer")


@pytest.mark.parametrize(
    ("completion", "executed", "written"),
    [
        (notebook("x = 3\nx * 6"), ("18", "ok"), NOTHING),
        (notebook("print(18)"), ("18", "ok"), NOTHING),
        (notebook("print('so')\nprint(18)"), ("18", "ok"), NOTHING),
        (notebook("print(4)\n18"), ("18", "ok"), NOTHING),
        (notebook("print('Total cost:', 18)"), ("18", "ok"), NOTHING),
        (notebook("print('It is 18, or')\nprint('3 of 18')"), ("3 of 18", "ok"), NOTHING),
        (notebook("x = 3", "x * 6"), ("18", "ok"), NOTHING),
        (notebook("def f(x):\n    return 6 * x", "f(3)", end="\nSo \\boxed{18}."), ("18", "ok"), ("18", "ok")),
        (notebook("1 / 0", "18"), ("18", "ok"), NOTHING),
        (notebook("import sympy", "18"), ("18", "ok"), NOTHING),
        (notebook("import sympy\nsympy.Integer(18)", end=" \\boxed{18}"), (None, "unsupported"), ("18", "ok")),
        (notebook("import sympy", "sympy.Integer(18)", end=" \\boxed{18}"), (None, "unsupported"), ("18", "ok")),
        (notebook("1 / 0", end=" \\boxed{18}"), (None, "raised"), ("18", "ok")),
        (notebook("x = 3", end=" \\boxed{18}"), NOTHING, ("18", "ok")),
        (notebook("3 * 6", end=" \\boxed{20}"), ("18", "ok"), ("20", "ok")),
        (notebook("4 * 5", end=" \\boxed{18}"), ("20", "ok"), ("18", "ok")),
        (notebook("3 * 6", end=" \\boxed{18} or \\boxed{20"), ("18", "ok"), NOTHING),
        (notebook("3 * 6", end=" \\boxed{}"), ("18", "ok"), NOTHING),
        ("\\boxed{18}" + notebook("4 * 5"), ("20", "ok"), NOTHING),
        # Closed blocks only; a later one without a value is not replaced by an earlier one.
        ("<llm-code>\n3 * 6", NOTHING, NOTHING),
        ("<llm-code>\n3 * 6\n<llm-code-output>\n18", NOTHING, NOTHING),
        ("<llm-code>\n3 * 6\n<llm-code-output>\n18\n</llm-code-output>\n\\boxed{18}", NOTHING, ("18", "ok")),
        (notebook("3 * 6") + "<llm-code>\n5", ("18", "ok"), NOTHING),
        (notebook("3 * 6", "x = 3"), NOTHING, NOTHING),
        (notebook("3 * 6", ""), NOTHING, NOTHING),
        (notebook("3 * 6", "# done"), NOTHING, NOTHING),
        (notebook("3 * 6", "1 / 0"), (None, "raised"), NOTHING),
        (notebook("import sympy"), (None, "unsupported"), NOTHING),
        ("<llm-code></llm-code>", NOTHING, NOTHING),
        (notebook(*["18"] * 9), (None, "limit"), NOTHING),
    ],
)
def test_notebooks(completion: str, executed: tuple, written: tuple) -> None:
    assert (last("executed", completion), last("written", completion)) == (executed, written)


def test_a_box_that_disagrees_with_the_program_is_a_flag_and_no_more() -> None:
    verdict = verify(notebook("3 * 6", end="\nSo \\boxed{15}."), 18)
    assert (verdict.correct, verdict.answer, verdict.flags) == (True, "18", {"box_disagrees"})
    verdict = verify(notebook("3 * 5", end="\nSo \\boxed{18}."), 18)
    assert (verdict.correct, verdict.answer, verdict.flags) == (False, "15", {"box_disagrees"})
    for same in ("18.0", "\\frac{36}{2}", "$18$"):
        assert verify(notebook("3 * 6", end=f"\nSo \\boxed{{{same}}}."), 18).flags == frozenset()
    assert verify(notebook("3 * 6", end="\nSo \\boxed{18."), 18).flags == frozenset()


def test_rules_that_need_one_value_execute_it_once() -> None:
    before = counters().get("programs", 0)
    by_rule = verify_by_rules(["def simple_math_problem():\n    return 3 * 6.0"], [18], rules=("executed", "written"))
    assert [[v.answer for v in verdicts] for verdicts in by_rule.values()] == [["18.0"], ["18.0"]]
    assert counters()["programs"] - before == 1


def test_truncated_completions_earn_nothing_but_by_a_setting_or_the_released_rules() -> None:
    right = [
        "def simple_math_problem():\n    return 18\n# and",
        notebook("3 * 6", end="\nSo \\boxed{18} pens, wh"),
        "So \\boxed{18} pens, wh",
        "The answer is 18",
    ]
    golds, cut = [18] * len(right), [False] * len(right)
    for rule in ("executed", "written"):
        verdicts = verify_batch(right, golds, scorer=rule, finished=cut)
        assert {(v.correct, v.answer, v.answer_key, v.status) for v in verdicts} == {(False, None, None, "truncated")}
        assert all("truncated" in v.flags for v in verdicts)
        judged = verify_batch(right, golds, scorer=rule, finished=cut, truncated="judged")
        assert [v.correct for v in judged] == [True] * 4
        assert all("truncated" in v.flags for v in judged)
        assert all(v.correct for v in verify_batch(right, golds, scorer=rule))
    released = [verify_batch(right, golds, scorer="authors", finished=end) for end in (cut, [True] * len(right))]
    assert [v.correct for v in released[0]] == [v.correct for v in released[1]] == [True] * 4


def test_cells() -> None:
    text = "a<llm-code>\n1\n</llm-code>b<llm-code-output>\n1\n</llm-code-output>c<llm-code>2</llm-code> end"
    blocks, after = cells(text)
    assert blocks == ["1", "2"]
    assert text[after:] == " end"
    open_output = "<llm-code>1<llm-code-output>\\boxed{3}"
    assert cells(open_output) == ([], len(open_output))
    assert cells("<llm-code>1<llm-code>2</llm-code></llm-code>3</llm-code>")[0] == ["2"]


def test_text_answers_come_from_their_phrase_only() -> None:
    assert verify("He has 18 apples.\n#### 18\nThe answer is: 18", 18).correct
    assert verify("The answer is 17. No: The answer is $18$.", 18).correct
    nothing = verify("He has 18 apples. #### 18", 18)
    assert (nothing.correct, nothing.answer, nothing.status) == (False, None, "no_answer")


def test_a_session_leaves_nothing_to_the_next() -> None:
    assert verify(notebook("leak = 18\nimport math\nlen = math.floor\nlen(18.5)"), 18).correct
    assert verify(notebook("leak"), 18).status == "raised"
    assert verify(notebook("len([3] * 18)"), 18).correct
