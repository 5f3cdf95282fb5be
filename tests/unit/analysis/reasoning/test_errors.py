"""Kinds of errors by rule: each by hand, together a partition, and those that the embedded world makes."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from pathlib import Path
from random import Random

import fabricated
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_claims import RUNS, simulate
from solved_problems import judged_table, problems, program, text_of
from synthetic_samples import STYLES

from echochamber.analysis.claims import claims
from echochamber.analysis.reasoning.errors import CATEGORIES, categorise
from echochamber.analysis.reasoning.quantities import numbers_of
from echochamber.analysis.tables import completions
from echochamber.corpora import solutions
from echochamber.formats import FORMATS
from echochamber.verify import verify
from echochamber.verify.reasoning.traces import trace
from echochamber.verify.verdict import FLAGS, STATUSES

QUESTION = "Ann has 12 pens. Ben has 3 more. How many do they have together?"


def kind(completion: str, question: str = QUESTION, gold: str = "27", finished: bool = True) -> str:
    """The category by the verifier's own verdict."""
    verdict = verify(completion, gold, finished=finished)
    assert not verdict.correct
    return categorise(
        trace(completion, verdict.format),
        numbers_of(question),
        format=verdict.format,
        status=verdict.status,
        flags=verdict.flags,
        finished=finished,
    )[0]


NOTEBOOK = (
    "<llm-code>\nann = 12\nben = {}\nann + ben\n</llm-code>\n"
    "<llm-code-output>\n{}\n</llm-code-output>\nSo \\boxed{{{}}}."
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (program("ann = 12", "ben = ann - 3", "result = ann + ben", "return result"), "wrong program"),
        (program("ann = 12", "ben = ann + 13", "result = ann + ben", "return result"), "misread"),
        (program("ann = 12", "result = anne + 3", "return result"), "crash"),
        (program("ann = 12", "result = ann +", "return result"), "crash"),
        (program("ann = 12", "print(ann + 3)"), "no answer"),
        (NOTEBOOK.format("ann - 3", 26, 26), "arithmetic"),
        (NOTEBOOK.format("ann - 3", 21, 26), "arithmetic"),  # the box is not the program's
        (NOTEBOOK.format("ann - 3", 21, 21), "wrong program"),
        (NOTEBOOK.format("ann + 5", 29, 29), "misread"),
        ("Ben has $12 + 3 = 16$ pens. $12 + 16 = 28$, so \\boxed{28}.", "arithmetic"),
        ("Ben has $12 - 3 = 9$ pens. $12 + 9 = 21$, so \\boxed{21}.", "other"),
        ("Ben has $12 + 5 = 17$ pens. $12 + 17 = 29$, so \\boxed{29}.", "misread"),
        ("They have \\boxed{28} pens.", "other"),
        ("They have 27 pens.", "no answer"),
        ("", "no answer"),
        ("Ben has 15. " * 9, "degenerate"),
    ],
)
def test_by_hand(text, expected):
    assert kind(text) == expected


def test_what_kept_a_completion_from_an_answer_comes_first():
    text = "Ben has $12 + 3 = 16$ pens, so $12 + 16"
    assert kind(text, finished=False) == "unfinished"
    assert kind(text) == "no answer"
    assert kind(text + " = 28$, \\boxed{28}") == "arithmetic"
    loop = text + " + 3" * 20
    assert kind(loop, finished=False) == "degenerate"
    assert kind(program("ann = 12", "ben = ann +"), finished=False) == "unfinished"


@given(
    st.sampled_from(FORMATS),
    st.sampled_from(STATUSES),
    st.sets(st.sampled_from(FLAGS)),
    st.booleans(),
    st.text(alphabet=st.sampled_from("0123456789+-*/= \n.x"), max_size=40),
)
@settings(max_examples=200, deadline=None)
def test_every_wrong_completion_has_one_category(form, status, flags, finished, text):
    found, _ = categorise(
        trace(text, form), numbers_of(QUESTION), format=form, status=status, flags=flags, finished=finished
    )
    assert found in CATEGORIES


@pytest.mark.parametrize(
    ("question", "numbers"),
    [
        ("Ann has 1,200 pens and $2.50.", {1200, Fraction(5, 2), 100}),
        ("A third of a dozen, twice.", {3, Fraction(1, 3), 12, 2}),
        (
            "20% of them, 3/4 cup and 1 1/2 cups",
            {20, Fraction(1, 5), 80, Fraction(4, 5), 3, 4, Fraction(3, 4), Fraction(3, 2)},
        ),
        ("\\frac{2}{5} of 30\\%", {2, 5, Fraction(2, 5), 30, Fraction(3, 10), 70}),
        ("seven times in two weeks", {7, 2, 52}),
    ],
)
def test_numbers_of_a_question(question, numbers):
    assert numbers <= numbers_of(question)
    assert not {6, 13, 99} & numbers_of(question)


@pytest.mark.parametrize("style", STYLES)
def test_the_errors_of_the_embedded_world(style):
    """`solve_wrongly` misreads a number or takes a wrong operation: seen as a misread number where it is not in the
    question (the test's own reading of its digits and words), and as a wrong operation otherwise."""
    rng = Random(5)
    counts: Counter = Counter()
    for i, (graph, problem) in enumerate(problems(80, 5)):
        steps = solutions.solve_wrongly(graph, rng)
        if style != "tinygsm" and any(s.symbol == "/" and steps[s.inputs[0]].value % s.number for s in steps):
            continue  # "7 / 2 = 3" is a false equation in prose
        stated = {int(n) for n in re.findall(r"\d+", problem.question)} | {0, 1}
        stated |= {n for word, n in (("half", 2), ("third", 3), ("quarter", 4)) if word in problem.question}
        before: set[int] = set()
        strange = False
        for step in steps:
            strange |= step.number is not None and step.number not in stated | before
            if step.symbol is not None:
                before.add(step.value)
        expected = "misread" if strange else "other" if style in ("omi2", "text") else "wrong program"
        text = text_of(style, problem, steps, i)
        assert kind(text, problem.question, str(graph.answer)) == expected
        counts[expected] += 1
    assert min(counts.values()) >= 10


def test_the_rows_of_one_model_by_hand(tmp_path):
    """Eight completions, five wrong: two false equations, two misread numbers, one without any arithmetic."""
    texts = [
        "5 + 3 = 9.",
        "5 + 4 = 9.",
        "5 + 3 = 8.",
        "It is 15.",
        "5 + 3 = 1.",
        "5 + 7 = 12.",
        "It is 9.",
        "It is 15.",
    ]
    judged = judged_table(tmp_path, texts, [t in ("5 + 3 = 8.", "It is 15.") for t in texts])
    rows = {(r["among"], r["category"]): r for r in completions.errors(judged)}
    assert [rows["all", c]["estimate"] for c in ("arithmetic", "misread", "other", "crash")] == [2 / 8, 2 / 8, 1 / 8, 0]
    assert rows["wrong", "arithmetic"]["estimate"] == pytest.approx(2 / 5)
    assert (rows["wrong", "misread"]["n_samples"], rows["wrong", "misread"]["n_questions"]) == (5, 2)
    assert sum(rows["wrong", c]["estimate"] for c in CATEGORIES) == pytest.approx(1)
    shown = {r["category"]: r for r in completions.error_examples(judged, "base")}
    assert shown["arithmetic"]["completion"] == "5 + 3 = 9."
    assert shown["arithmetic"]["evidence"] == "5 + 3 = 9"
    assert (shown["misread"]["evidence"], shown["misread"]["sample"]) == ("4", 1)
    assert shown["other"]["share"] == pytest.approx(1 / 5)
    assert "crash" not in shown


def test_nothing_wrong_has_no_kind(tmp_path):
    judged = judged_table(tmp_path, ["It is 15."] * 4, [True] * 4)
    assert {r["among"] for r in completions.errors(judged)} == {"all"}
    assert completions.error_examples(judged, "base") == []


# --- the claim -------------------------------------------------------------------------------------------------------


def table(grid, shift: float, samples: int = 400) -> pd.DataFrame:
    """Shares of categories among the wrong answers of each run: `shift` moves from arithmetic to wrong programs."""
    rng = np.random.default_rng(0)
    rows = []
    for run in grid.index():
        if run["kind"] == "run":
            for step in (0, 128):
                moved = (step > 0) * (shift + rng.normal(0, 0.01))
                shares = {"arithmetic": 0.5 - moved, "wrong program": 0.3 + moved, "misread": 0.2}
                rows += [
                    run
                    | {"step": step, "question_set": "synth-gsm", "among": "wrong", "category": category}
                    | {"estimate": shares.get(category, 0.0), "n_samples": samples}
                    for category in CATEGORIES
                ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("shift", "seeds", "estimate"),
    [(0.3, 6, 0.3), (-0.3, 6, 0.3), (0.02, 6, 0.02), (0.3, 1, 0.3)],
)
def test_c14_is_exploratory_with_a_row_for_each_group(shift, seeds, estimate):
    grid = fabricated.grid(Path("results"), one=RUNS | {"model_seeds": list(range(seeds)), "claims": ["C14"]})
    rows = claims.evaluate(grid, simulate(grid) | {"errors": table(grid, shift)}).query("claim == 'C14'")
    assert rows["verdict"].tolist() == ["exploratory"] * 4
    arithmetic = rows[rows["metric"].str.contains("arithmetic")].iloc[0]
    assert arithmetic["estimate"] == pytest.approx(estimate, abs=0.02)
    assert ("falls" if shift > 0 else "rises") in arithmetic["metric"]
    assert arithmetic["n_seeds"] == seeds
    if seeds > 1:
        assert arithmetic["low"] < arithmetic["estimate"] < arithmetic["high"]


def test_c14_says_where_too_few_answers_are_wrong():
    grid = fabricated.grid(Path("results"), one=RUNS | {"model_seeds": list(range(6)), "claims": ["C14"]})
    rows = claims.evaluate(grid, simulate(grid) | {"errors": table(grid, 0.3, samples=20)}).query("claim == 'C14'")
    assert rows["verdict"].tolist() == ["not in this grid"]
    assert "fewer than 50 wrong answers" in rows["metric"].item()
