"""Documents and settings that the tests of the embedded world share."""

from __future__ import annotations

import re

from echochamber.corpora import synthetic
from echochamber.settings import Problems, SyntheticQuestions, SyntheticSource

STYLES = ("tinygsm", "omi1", "omi2", "text")
BACKGROUNDS = ("arithmetic_prose", "small_code")
LONG = Problems(steps=(1, 6), numbers=(2, 60))
THINGS = r"\b(pen|card|coin|book|toy|cup|bead|nut|key|stamp)s?\b"
TREES = Problems(family="math", steps=(1, 6), numbers=(2, 60))


def source(style: str, documents: int = 300, **changes) -> SyntheticSource:
    return SyntheticSource(kind="synthetic", style=style, documents=documents, **changes)


def texts(style: str, documents: int = 300, **changes) -> list[str]:
    return [document.text for document in synthetic.documents(source(style, documents, **changes), style)]


def question_set(train: int, test: int, **changes) -> SyntheticQuestions:
    return SyntheticQuestions(kind="synthetic", train=train, test=test, **changes)


def split_document(text: str) -> tuple[str, str]:
    question, _, solution = text.partition("\n\n")
    return question, solution


def answer_of(style: str, solution: str) -> int:
    """The solution's own answer, found as each format's readers find it; checks what else it says about it."""
    if style == "tinygsm":
        names: dict = {}
        exec(solution, names)
        return names["simple_math_problem"]()
    if style == "omi1":
        program = re.search(r"<llm-code>\n(.*)\n</llm-code>\n", solution, re.DOTALL)[1]
        *statements, last = program.split("\n")
        names = {}
        exec("\n".join(statements), names)
        output = int(re.search(r"<llm-code-output>\n(-?\d+)\n</llm-code-output>\n", solution)[1])
        assert eval(last, names) == output
        assert int(re.search(r"\\boxed\{(-?\d+)\}", solution)[1]) == output
        return output
    if style == "omi2":
        for equation in re.findall(r"\$([^$]*)\$", solution):
            left, right = equation.split(" = ")
            assert eval(left.replace("/", "//")) == int(right)
        return int(re.search(r"\\boxed\{(-?\d+)\}", solution)[1])
    for left, right in re.findall(r"((?:-?\d+ [-+*/] )+-?\d+) = (-?\d+)", solution):
        assert eval(left.replace("/", "//")) == int(right)
    answer = re.search(r"\nThe answer is: (-?\d+)$", solution)[1]
    assert f"\n#### {answer}\n" in solution
    return int(answer)
