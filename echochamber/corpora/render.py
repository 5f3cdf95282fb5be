"""Worded problem + worked solution -> text, in the surface forms of the public corpora. Pure.

- `tinygsm` (TinyGSM): `def simple_math_problem() -> int:`, the question as docstring, assignments, `result = ...`,
  `return result`.
- `omi1` (OpenMathInstruct-1): a sentence, a program between `<llm-code>` tags whose last line is an expression, its
  output between `<llm-code-output>` tags, a sentence with the answer in a box.
- `omi2` (OpenMathInstruct-2): prose with arithmetic between dollar signs (with `*` and `/`, as most of its grade-school
  rows have it), a sentence with the answer in a box.
- `text` (MetaMathQA): prose with plain arithmetic, `#### N`, `The answer is: N`.

Each style has a neutral twin: other words of equal length in the same place. In `tinygsm` the last quantity is called
`answer` or (twin) `final`; elsewhere the last sentence begins with "So" or (twin) "Thus". What a twin says, and whether
it is right, is the same.
"""

from __future__ import annotations

from typing import NamedTuple

from echochamber.corpora.solutions import Step
from echochamber.corpora.wording import Problem, counted

TWINS = {
    "tinygsm": ("answer", "final"),
    "omi1": ("So", "Thus"),
    "omi2": ("So", "Thus"),
    "text": ("So", "Thus"),
}
"""The words that tell twin `a` from twin `b`."""


class Look(NamedTuple):
    """The choices inside a style."""

    double_quotes: bool = False
    comments: bool = False
    twin: bool = False


def render(style: str, problem: Problem, steps: list[Step], look: Look) -> str:
    """The solution's text, without the question that precedes it and without a final line break."""
    return {"tinygsm": _tinygsm, "omi1": _omi1, "omi2": _omi2, "text": _text}[style](problem, steps, look)


def _tinygsm(problem: Problem, steps: list[Step], look: Look) -> str:
    quotes = '"""' if look.double_quotes else "'''"
    last = TWINS["tinygsm"][look.twin]
    lines = [quotes, *problem.sentences, quotes, *_program(problem, steps, look, last)]
    lines += [f"result = {last}", "return result"]
    return "def simple_math_problem() -> int:\n    " + "\n    ".join(lines)


def _omi1(problem: Problem, steps: list[Step], look: Look) -> str:
    program = "\n".join(_program(problem, steps, look, None))
    return (
        f"Let's solve this problem using Python code.\n<llm-code>\n{program}\n</llm-code>\n"
        f"<llm-code-output>\n{steps[-1].value}\n</llm-code-output>\n{_boxed(problem, steps, look, 'omi1')}"
    )


def _omi2(problem: Problem, steps: list[Step], look: Look) -> str:
    return "\n".join([*_sentences(problem, steps, "$"), _boxed(problem, steps, look, "omi2")])


def _text(problem: Problem, steps: list[Step], look: Look) -> str:
    *lines, last = _sentences(problem, steps, "")
    answer = steps[-1].value
    last = f"{TWINS['text'][look.twin]} {_continued(last)}"
    return "\n".join([*lines, last, f"#### {answer}", f"The answer is: {answer}"])


def _sentences(problem: Problem, steps: list[Step], delimiter: str) -> list[str]:
    """One sentence per operation, its arithmetic between delimiters."""
    sentences = []
    for i, step in enumerate(steps):
        if step.symbol is not None:
            operands = [str(steps[j].value) for j in step.inputs] + _stated(step)
            equation = f"{delimiter}{f' {step.symbol} '.join(operands)} = {step.value}{delimiter}"
            thing = counted(step.value, problem.thing)
            sentences.append(f"{problem.subjects[i]} {problem.verbs[i]} {equation} {thing}.")
    return sentences


def _program(problem: Problem, steps: list[Step], look: Look, last: str | None) -> list[str]:
    """One assignment per node, the last one to the variable `last`, or without a variable if that is none."""
    lines = []
    for i, step in enumerate(steps):
        target = problem.variables[i] if i < len(steps) - 1 else last
        value = str(step.value)
        if step.symbol is not None:
            if look.comments:
                all_of_them = problem.variables[i] == "total"
                lines.append(f"# all {problem.thing}" if all_of_them else f"# {problem.thing} of {problem.subjects[i]}")
            operands = [problem.variables[j] for j in step.inputs] + _stated(step)
            value = f" {'//' if step.symbol == '/' else step.symbol} ".join(operands)
        lines.append(f"{target} = {value}" if target else value)
    return lines


def _stated(step: Step) -> list[str]:
    return [] if step.number is None else [str(step.number)]


def _boxed(problem: Problem, steps: list[Step], look: Look, style: str) -> str:
    subject, answer = _continued(problem.subjects[-1]), steps[-1].value
    thing = counted(answer, problem.thing)
    return f"{TWINS[style][look.twin]} {subject} {problem.verbs[-1]} \\boxed{{{answer}}} {thing}."


def _continued(sentence: str) -> str:
    """The sentence as it goes on after a first word: only names keep their capital."""
    return sentence.replace("The boxes", "the boxes", 1)
