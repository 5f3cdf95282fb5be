"""Equations of prose, steps of programs, and whether they are those of the gold graph."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solved_problems import GRAPH, judged_table, problems, program, text_of
from synthetic_reader import read
from synthetic_samples import STYLES, question_set
from verify_hostile import BODIES, BOXES

from echochamber.analysis.tables import completions
from echochamber.corpora import solutions, synthetic
from echochamber.corpora.problems import SYMBOLS, Graph, to_dict
from echochamber.corpora.render import Look, render
from echochamber.corpora.wording import Problem, word
from echochamber.formats import FORMATS
from echochamber.settings import OPERATIONS
from echochamber.stats.metrics import chance_at_k
from echochamber.verify.reasoning.equations import Computation, equations
from echochamber.verify.reasoning.steps import STEPS, judge_steps
from echochamber.verify.reasoning.traces import trace

# --- equations -------------------------------------------------------------------------------------------------------

EQUATIONS = {  # one that holds, with {} where another number makes it false
    "3 + 4 = {}": "7",
    "Ann has $3 + 4 = {}$ pens.": "7",
    "3 red pens + 4 pens = {} pens": "7",
    "\\frac{{12}}{{4}} = {}": "3",
    "$5 \\times 2 = \\${}$": "10",
    "1,000 + 1 = {}": "1,001",
    "20% * 50 = {}": "10",
    "5 / 20 * 100 = {}%": "25",
    "10 / 3 = {}": "3.33",
    "12 - (3 + 4) = {}": "5",
    "2 + 3 * 4 = {}": "14",
    "2 * 3^2 = {}": "18",
    "10 - 2 - 3 = {}": "5",
    "3(4 + 5) = \\boxed{{{}}}": "27",
    "-3 + 5 = {}": "2",
    "total = 3 + 4 = {}": "7",
    "so {} = 3 + 4.": "7",
    "<<3+4={}>>7": "7",
    "(8 / 2 = {})": "4",
    "10 pens - 4 \\text{{ pens}} = {}": "6",
}


@pytest.mark.parametrize(("text", "value"), EQUATIONS.items())
def test_a_true_equation_holds_and_another_result_does_not(text, value):
    for stated, holds in ((value, True), ("3.4" if "." in value else "9", False)):
        (found,) = equations(text.format(stated))
        assert found.holds == holds


@pytest.mark.parametrize(
    "text",
    [
        "x + 3 = 7",
        "2x = 4 + 1",
        "20% of 50 = 11",
        "half of 8 + 2 = 7",
        "f(3 + 1) = 7",
        "5! = 100 + 21",
        "3 + 4 = 7x",
        "3 + 4 = y + 1",
        "\\sqrt{9} + 1 = 5",
        "50 = 10",
        "- 3 + 4 = 7",
        "3, 4 + 1 = x",
        "define a = 3 + 4",
        "3 + 4 < 9 = 9",
        "1st + 2 = 4",
        "10 / 0 = 5",
        "= 3 + 4",
    ],
)
def test_what_cannot_be_read_for_certain_is_no_false_equation(text):
    assert all(found.holds for found in equations(text))


def test_what_an_equation_is_computed_from():
    (found,) = equations("So he pays 2 * (3 + 4) - 5 = 9 dollars.")
    assert found.numbers == (2, 3, 4, 5)
    assert found.computed == (Computation("+", (3, 4)), Computation("*", (2, 7)), Computation("+", (-5, 14)))
    assert found.values == (9, 9)
    (found,) = equations("12 / 8 = 1.5")
    assert found.computed == (Computation("*", (Fraction(1, 8), 12)),)


@given(
    st.recursive(
        st.integers(1, 40).map(str),
        lambda e: st.tuples(e, st.sampled_from("+-*"), e).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        max_leaves=6,
    ),
    st.integers(-3, 3),
)
@settings(max_examples=200, deadline=None)
def test_values_are_those_of_python(expression, off):
    value = eval(expression) + off
    for found in equations(f"It is ${expression} = {value}$."):
        assert found.holds == (off == 0)
    assert any(c in expression for c in "+-*") == bool(list(equations(f"It is ${expression} = {value}$.")))


# --- programs --------------------------------------------------------------------------------------------------------


def test_a_program_is_followed_assignment_by_assignment():
    found = trace(program("a = 3", "b: int = a * 4", "b += 0.5", "a, c = 1, 2", "return int(b) // 5"), "tinygsm")
    assert found.computed == [
        Computation("*", (3, 4)),
        Computation("+", (Fraction(1, 2), 12)),
        Computation("*", (Fraction(1, 5), 12)),
    ]
    assert found.value == 2
    assert [n for n in found.taken if n in (3, 4, Fraction(1, 2), 5)] == [3, 4, Fraction(1, 2), 5]
    assert trace(program("a = [3, 4, 5]", "b = sum([3, 4, 5])", "return b"), "tinygsm").value == 12


def test_what_a_walk_cannot_follow_has_no_value():
    loop = trace(program("a = 3", "for i in range(4):", "    a = a + 1", "return a + 2"), "tinygsm")
    assert loop.value is None
    assert loop.computed == []
    assert trace(program("a = 3", "if a > 2:", "    return 5", "return f(a)"), "tinygsm").value is None
    assert trace(program("a = 9 ** 9 ** 9", "return a"), "tinygsm").value is None
    assert trace(program("a = 1 / 0", "return a"), "tinygsm").value is None
    assert trace(program("return unknown + 3"), "tinygsm").value is None


def test_an_output_that_the_program_does_not_give_is_false():
    text = "<llm-code>\na = 3\na + 4\n</llm-code>\n<llm-code-output>\n{}\n</llm-code-output>\nSo \\boxed{{7}}."
    assert trace(text.format(7), "omi1").false == []
    assert trace(text.format(8), "omi1").false == ["program gives 7, stated output 8"]


def test_comments_are_read_and_docstrings_are_not():
    assert trace(program("a = 3 + 4  # 3 + 4 = 8", "return a"), "tinygsm").false == ["3 + 4 = 8"]
    assert trace(program("return 7").replace("Q", "3 + 4 = 8"), "tinygsm").false == []


# --- gold graphs -----------------------------------------------------------------------------------------------------


def judged(style: str, graph: Graph, text: str) -> str:
    return judge_steps(to_dict(graph), trace(text, style))


@pytest.mark.parametrize("style", STYLES)
def test_right_solutions_are_right_in_every_style(style):
    for i, (graph, problem) in enumerate(problems(150, 1)):
        assert read(problem.question).answer == graph.answer  # another reading of the same question
        assert judged(style, graph, text_of(style, problem, solutions.solve(graph), i)) == "right"


@pytest.mark.parametrize("style", STYLES)
def test_wrong_solutions_are_not_right(style):
    rng = Random(2)
    for i, (graph, problem) in enumerate(problems(150, 2)):
        assert judged(style, graph, text_of(style, problem, solutions.solve_wrongly(graph, rng), i)) != "right"


def accidents(count: int) -> list[tuple[Graph, Problem, list]]:
    """Wrong steps with the right answer: `solve_wrongly` twice over, kept where the errors cancel out."""
    rng = Random(3)
    found = []
    for graph, problem in problems(100_000, 3):
        right = solutions.solve(graph)
        symbols, numbers = [s.symbol for s in right], [s.number for s in right]
        for _ in range(2):
            i = rng.randrange(len(right))
            if symbols[i] is None or (numbers[i] is not None and rng.random() < 0.5):
                numbers[i] = max(1, numbers[i] + rng.choice((-3, -2, -1, 1, 2, 3)))
            else:
                symbols[i] = rng.choice("+-*")
        steps = solutions._evaluate(graph, symbols, numbers)
        if steps[-1].value == graph.answer and steps != right and min(s.value for s in steps) >= 0:
            found.append((graph, problem, steps))
        if len(found) == count:
            break
    return found


@pytest.fixture(scope="module")
def by_accident():
    return accidents(60)


def operations(steps: list) -> Counter:
    """What a reader sees of the steps: `a - b` with its order, sums and products without; numbers, not names."""
    found: Counter = Counter()
    for step in steps:
        if step.symbol is not None:
            values = [steps[i].value for i in step.inputs] + ([] if step.number is None else [step.number])
            found[step.symbol, *(values if step.symbol in "-/" else sorted(values))] += 1
    return found


@pytest.mark.parametrize("style", STYLES)
def test_a_right_answer_by_accident_is_not_right(style, by_accident):
    assert len(by_accident) == 60
    hidden = 0
    for i, (graph, problem, steps) in enumerate(by_accident):
        hidden += (same := operations(solutions.solve(graph)) == operations(steps))  # errors that no reader can see
        assert (judged(style, graph, text_of(style, problem, steps, i)) == "right") == same
    assert hidden < 10


@pytest.mark.parametrize("style", ["omi1", "omi2", "text"])
def test_a_right_answer_after_wrong_steps_is_not_right(style):
    """The last number alone is changed to the gold answer, as a lucky guess would."""
    rng = Random(4)
    for graph, problem in problems(60, 4):
        steps = solutions.solve_wrongly(graph, rng)
        text = render(style, problem, steps, Look())
        wrong, right = str(steps[-1].value), str(graph.answer)
        mark = "The answer is: " if style == "text" else "\\boxed{"
        text = text.replace(mark + wrong, mark + right)
        assert mark + right in text
        assert judged(style, graph, text) != "right"


def test_systematic_errors_that_come_out_right_are_not_right():
    """2 more than 2 is 4, and so is 2 times 2."""
    nodes = next(problems(1, 0))[0].nodes[:1]
    two = nodes[0]._replace(number=2, value=2)
    more = two._replace(operation="more", inputs=(0,), owners=(1,), value=4)
    graph = Graph("gsm", (two, more), "more(2,2)")
    problem = word(graph, Random(0))
    for style in STYLES:
        steps = solutions.solve(graph, ("more",))
        assert steps[-1].value == graph.answer == 4
        assert judged(style, graph, render(style, problem, steps, Look())) == "missing"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5 + 3 = 8. 5 + 8 + 2 = 15.", "right"),
        ("8 = 3 + 5, so 2 + 8 + 5 = 15", "right"),
        ("5 + 3 = 8. 8 + 2 = 10. Then 10 + 5 = 15.", "right"),
        ("5 + (5 + 3) + 2 = 15", "right"),
        ("5 + 3 = 8. 5 + 8 + 2 = 15. And 1 + 1 = 3.", "false"),
        ("5 + 5 + 3 + 2 = 15", "missing"),  # a shortcut: Ben's 8 is never there
        ("5 + 3 = 8. 7 + 8 = 15.", "missing"),  # where the 7 is from nobody knows
        ("5 + 3 = 8. So it is 15.", "missing"),
        ("5 * 3 = 15", "missing"),
        ("It is 15.", "none"),
        ("", "none"),
    ],
)
def test_by_hand(text, expected):
    assert judge_steps(GRAPH, trace(text, "text")) == expected


def test_one_step_is_not_counted_for_two_quantities():
    nodes = [
        {"operation": "given", "inputs": [], "number": 4, "value": 4},
        {"operation": "share", "inputs": [0], "number": 2, "value": 2},
        {"operation": "times", "inputs": [1], "number": 2, "value": 4},
        {"operation": "share", "inputs": [2], "number": 2, "value": 2},
    ]
    assert judge_steps({"nodes": nodes}, trace("4 / 2 = 2. 2 * 2 = 4. 4 / 2 = 2.", "text")) == "right"
    assert judge_steps({"nodes": nodes}, trace("4 / 2 = 2. 2 * 2 = 4. 4 - 2 = 2.", "text")) == "missing"


# --- anything that a model may write ---------------------------------------------------------------------------------

LONG_ONES = [
    "(" * 5000 + "1",
    "-" * 5000 + "1",
    "1" + "+1" * 4000,
    "3 + " * 5000 + "= 7",
    "\\frac{" * 3000,
    "9" * 20000,
]
LONG_ONES += [
    "x = " + "[" * 90 + "]" * 90,
    "a = " * 2000 + "1",
    "if x:\n " * 300,
    "1 = " * 5000,
    "#" * 8000,
    "\0",
    "\ud800 + 1 = 2",
]


@pytest.mark.parametrize("text", [*LONG_ONES, *BODIES.values(), *BOXES.values()])
def test_hostile_text_is_read_without_harm(text):
    for form in FORMATS:
        for whole in (text, program(f"a = {text}", "return a"), f"<llm-code>\n{text}\n</llm-code>"):
            assert judge_steps(GRAPH, trace(whole, form)) in STEPS


@given(st.text(alphabet=st.sampled_from("0123456789+-*/=(){}.,%$\\ \nabx<>#'\"_^frac:"), max_size=120))
@settings(max_examples=300, deadline=None)
def test_any_text_can_be_judged(text):
    for form in FORMATS:
        assert judge_steps(GRAPH, trace(text, form)) in STEPS
    trace(program(*text.split("\n")), "tinygsm")


# --- the table -------------------------------------------------------------------------------------------------------


def test_chance_is_what_k_blind_guesses_earn():
    asked = synthetic.questions(question_set(0, 200), "q", "test")
    answers = [question.answer for question in asked]
    assert chance_at_k(answers, 1) == synthetic.chance_rate(asked)
    assert chance_at_k(["1", "2", "2", "3"], 2) == 0.75
    assert chance_at_k(answers, 1000) == 1


def test_pass_at_k_with_and_without_the_steps(tmp_path):
    """Two questions, four samples: 3 right of which 2 by right steps; 1 right by wrong steps."""
    right, shortcut, wrong = "5 + 3 = 8. 5 + 8 + 2 = 15.", "It is 15.", "5 + 3 = 9."
    texts = [right, right, shortcut, wrong, shortcut, wrong, wrong, wrong]
    rows = completions.process(judged_table(tmp_path, texts, [t != wrong for t in texts]))
    found = {(r["measure"], r["k"], r["format"]): r for r in rows}
    assert found["pass_at_k", 1, None]["estimate"] == pytest.approx((3 / 4 + 1 / 4) / 2)
    assert found["pass_at_k_by_right_steps", 1, None]["estimate"] == pytest.approx((2 / 4 + 0) / 2)
    assert found["pass_at_k_by_right_steps", 2, None]["estimate"] == pytest.approx((5 / 6 + 0) / 2)
    assert found["pass_at_k_by_right_steps", 4, None]["estimate"] == pytest.approx(1 / 2)
    assert found["pass_at_k", 4, None]["estimate"] == 1
    assert found["chance_at_k", 1, None]["estimate"] == 1
    assert np.isnan(found["chance_at_k", 1, None]["low"])
    for name in (None, "text"):
        assert found["steps_right", None, name]["estimate"] == pytest.approx(2 / 4)
        assert found["steps_none", None, name]["estimate"] == pytest.approx(2 / 4)
        assert found["steps_right", None, name]["n_samples"] == 4
        assert found["steps_right", None, name]["n_questions"] == 2
    assert ("steps_right", None, "omi1") not in found


def test_every_operation_of_the_schema_has_a_symbol():
    assert set(SYMBOLS) == set(OPERATIONS)
