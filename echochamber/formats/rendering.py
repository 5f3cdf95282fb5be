"""What the formats of the embedded world share: sentences, programs and boxes from a worked solution. Pure.

`problem`, `steps`: a `corpora.wording.Problem` and its `corpora.solutions.Step`s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class Look(NamedTuple):
    """The choices inside a style."""

    double_quotes: bool = False
    comments: bool = False
    twin: bool = False


def counted(number: int, thing: str) -> str:
    """The thing in the number that goes with the count: 1 pen, 2 pens, 0 pens."""
    return thing[:-1] if number == 1 else thing


def sentences(problem: Any, steps: Sequence[Any], delimiter: str) -> list[str]:
    """One sentence per operation, its arithmetic between delimiters."""
    sentences = []
    for i, step in enumerate(steps):
        if step.symbol is not None:
            operands = [str(steps[j].value) for j in step.inputs] + _stated(step)
            equation = f"{delimiter}{f' {step.symbol} '.join(operands)} = {step.value}{delimiter}"
            thing = counted(step.value, problem.thing)
            sentences.append(f"{problem.subjects[i]} {problem.verbs[i]} {equation} {thing}.")
    return sentences


def program(problem: Any, steps: Sequence[Any], look: Look, last: str | None) -> list[str]:
    """One assignment per node, the last one to the variable `last`, or without a variable if that is none."""
    lines = []
    for i, step in enumerate(steps):
        target = problem.variables[i] if i < len(steps) - 1 else last
        value = str(step.value)
        if step.symbol is not None:
            if look.comments:
                is_total = problem.variables[i] == "total"
                lines.append(f"# all {problem.thing}" if is_total else f"# {problem.thing} of {problem.subjects[i]}")
            operands = [problem.variables[j] for j in step.inputs] + _stated(step)
            value = f" {'//' if step.symbol == '/' else step.symbol} ".join(operands)
        lines.append(f"{target} = {value}" if target else value)
    return lines


def _stated(step: Any) -> list[str]:
    return [] if step.number is None else [str(step.number)]


def boxed(problem: Any, steps: Sequence[Any], first: str) -> str:
    """A sentence with the answer in a box, that begins with the word `first`."""
    subject, answer = continued(problem.subjects[-1]), steps[-1].value
    thing = counted(answer, problem.thing)
    return f"{first} {subject} {problem.verbs[-1]} \\boxed{{{answer}}} {thing}."


def continued(sentence: str) -> str:
    """The sentence as it goes on after a first word: only names keep their capital."""
    return sentence.replace("The boxes", "the boxes", 1)
