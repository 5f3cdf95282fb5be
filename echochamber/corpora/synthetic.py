"""The embedded world: documents and questions made on the spot, from their settings alone.

It differs from the public corpora in that every question comes with its dependency graph, the share and the kind of
wrong solutions are known, and the split of a question follows from the question itself (`problems.split_of`): corpora
take the corpus split only, whatever their seed, family or style.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from random import Random
from typing import Literal

from echochamber.corpora.background import background
from echochamber.corpora.documents import Document, Question
from echochamber.corpora.problems import Graph, Split, graphs, split_of, to_dict
from echochamber.corpora.render import Look, render
from echochamber.corpora.solutions import solve, solve_wrongly
from echochamber.corpora.wording import word
from echochamber.settings import Problems, SyntheticQuestions, SyntheticSource

_FRUITLESS = 20_000
"""Draws in a row without anything new (or of the split) after which a distribution counts as exhausted."""


def documents(settings: SyntheticSource, source: str) -> Iterator[Document]:
    """The documents of a source, in order; the same for the same settings in any process.

    Sources of one style and seed that differ in look or errors only ask the same questions in the same order.
    Raises ValueError (one line) if the distribution has no problem, or none in the corpus split.
    """
    rng = _generator(settings.style, settings.seed, "surface")
    if settings.style in ("arithmetic_prose", "small_code"):
        for _ in range(settings.documents):
            yield Document(background(settings.style, *settings.problems.numbers, rng), source)
        return
    problem_rng = _generator(settings.style, settings.seed, "problems")
    error_rng = _generator(settings.style, settings.seed, "errors")
    for graph in islice(_of_split(settings.problems, "corpus", problem_rng), settings.documents):
        problem = word(graph, problem_rng, settings.problems.things)
        look = Look(
            double_quotes=rng.random() < settings.triple_double_quotes,
            comments=rng.random() < settings.comments,
            twin=rng.random() < settings.twin,
        )
        systematic = settings.systematic if look.double_quotes or settings.systematic_in == "all" else ()
        if error_rng.random() < settings.wrong:
            steps = solve_wrongly(graph, error_rng, systematic)
        else:
            steps = solve(graph, systematic)
        yield Document(f"{problem.question}\n\n{render(settings.style, problem, steps, look)}", source)


def questions(settings: SyntheticQuestions, name: str, split: Literal["train", "test"]) -> list[Question]:
    """The questions of a split, no two of them the same problem; ids are `<name>-<split>-<number>`.

    Raises ValueError (one line) if the distribution does not hold as many.
    """
    count = settings.train if split == "train" else settings.test
    rng = _generator("questions", settings.seed, split)
    seen: set[str] = set()
    questions: list[Question] = []
    fruitless = 0
    for graph in _of_split(settings.problems, split, rng):
        if len(questions) == count:
            break
        problem = word(graph, rng, settings.problems.things)
        if graph.key in seen:
            fruitless += 1
            if fruitless == _FRUITLESS:
                raise ValueError(
                    f"question set {name}, {split}: found {len(questions)} different questions, allowed: "
                    f"at most these, or more steps than {list(settings.problems.steps)} "
                    f"or numbers than {list(settings.problems.numbers)}"
                )
            continue
        fruitless = 0
        seen.add(graph.key)
        names = list(problem.names)
        record = {**to_dict(graph, names), "thing": problem.thing}
        questions.append(Question(f"{name}-{split}-{len(questions):05d}", problem.question, str(graph.answer), record))
    return questions


def chance_rate(questions: Sequence[Question]) -> float:
    """Accuracy of the best guess that is blind to the question: the share of the most frequent answer of the set.

    No distribution over guesses does better, drawing from the set's own answers included (that is right with
    probability sum p^2 <= max p). Raises ValueError for an empty set.
    """
    if not questions:
        raise ValueError("chance rate: found no questions, allowed: at least one")
    return max(Counter(question.answer for question in questions).values()) / len(questions)


def _of_split(settings: Problems, split: Split, rng: Random) -> Iterator[Graph]:
    fruitless = 0
    for graph in graphs(settings, rng):
        if split_of(graph.key) == split:
            fruitless = 0
            yield graph
            continue
        fruitless += 1
        if fruitless == _FRUITLESS:
            raise ValueError(
                f"problems: found no question of the {split} split with steps {list(settings.steps)}, numbers "
                f"{list(settings.numbers)} and operations {list(settings.operations)}, allowed: a wider distribution"
            )


def _generator(*parts: object) -> Random:
    """A generator of its own for each purpose; seeding by text does not depend on the process's hash seed."""
    return Random("/".join(map(str, parts)))
