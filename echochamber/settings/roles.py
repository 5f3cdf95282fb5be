"""What the benchmarks of a study are to its RL prompts and to the claims."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from echochamber.settings.grid_file import GridFile, Study

Role = Literal["task", "transfer", "hard"]

TESTED_BY = {"math": "math-500"}
"""Public sets whose test split is a set of its own."""


def own_benchmark(file: GridFile, study: Study, prompts: str) -> str | None:
    """The first benchmark of a study that tests the question set of these prompts; MATH's test split is MATH-500."""
    trained = file.prompts[prompts].questions

    def tests(benchmark: str) -> bool:
        tested = file.benchmarks[benchmark].questions
        one, other = file.question_sets[trained], file.question_sets[tested]
        if one.kind != "hub" or other.kind != "hub" or not one.dataset:
            return tested == trained
        return tested == trained or TESTED_BY.get(one.dataset) == other.dataset

    return next(filter(tests, study.benchmarks), None)


def role(file: GridFile, benchmark: str) -> Role:
    """What claims take a benchmark for: its setting, or what the question set tells."""
    settings = file.benchmarks[benchmark]
    return settings.role if settings.role is not None else role_of_questions(file, settings.questions)


def prompts_role(file: GridFile, prompts: str) -> Role:
    """What claims take the questions of these prompts for: the role of a benchmark on them, or what the set tells."""
    name = file.prompts[prompts].questions
    roles = [settings.role for settings in file.benchmarks.values() if settings.questions == name and settings.role]
    return roles[0] if roles else role_of_questions(file, name)


def role_of_questions(file: GridFile, name: str) -> Role:
    """What a question set tells by itself."""
    questions = file.question_sets[name]
    if questions.kind == "synthetic":
        return "transfer" if questions.problems.family == "math" else "task"
    return role_of_dataset(questions.dataset if questions.kind == "hub" and questions.dataset else "")


def role_of_dataset(dataset: str) -> Role:
    """What a public question set is."""
    return "hard" if dataset.startswith("aime") else "transfer" if dataset.startswith("math") else "task"
