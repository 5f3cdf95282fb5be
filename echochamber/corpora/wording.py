"""Dependency graph -> question: who owns what, and the sentences that say so. Pure, given a generator for the choices.

Two families share no template: `gsm` speaks of people and what they have, `math` of boxes and what they hold. The
rules that keep a question unambiguous:

- what an owner has changes only before anything refers to it, and a reference after a change says "now";
- a change follows the sentence on its owner;
- "than Ann" is left out only while there is nobody but Ann to compare with;
- people whose things are counted as one are said to put them together before anything happens to the sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from echochamber.corpora.problems import EVENTS, Graph, Node
from echochamber.formats.rendering import counted
from echochamber.settings.world import THINGS

NAMES = {"Ann": "her", "Ben": "his", "Dan": "his", "Eva": "her", "Kim": "her", "Leo": "his", "Mia": "her", "Tom": "his"}
"""The people and their pronouns: one more than `settings.world.MAX_STEPS`, since each step may bring in another."""
BOXES = "ABCDEFGH"
FRACTION_WORDS = {2: "half", 3: "a third", 4: "a quarter"}


class Problem(NamedTuple):
    """A worded problem: what the renderers need, all aligned with the graph's nodes."""

    graph: Graph
    sentences: tuple[str, ...]
    """The question, one sentence each."""
    thing: str
    """What is counted, in the plural."""
    subjects: tuple[str, ...]
    """Whose quantity each node is, as the subject of a sentence."""
    verbs: tuple[str, ...]
    """The verb that agrees with the subject."""
    variables: tuple[str, ...]
    """Python names of the quantities; an event keeps the name."""
    names: tuple[str, ...]
    """Display names of the owners."""

    @property
    def question(self) -> str:
        return " ".join(self.sentences)


def word(graph: Graph, rng: Random, things: Sequence[str] = ()) -> Problem:
    """A question for the graph, with random names, choice of template, and one of `things` (none: of its family)."""
    thing = rng.choice(things or THINGS[graph.family])
    return (_word_gsm if graph.family == "gsm" else _word_math)(graph, thing, rng)


def _word_gsm(graph: Graph, thing: str, rng: Random) -> Problem:
    nodes = graph.nodes
    people = tuple(rng.sample(list(NAMES), 1 + max(owner for node in nodes for owner in node.owners)))
    subjects: list[str] = []
    sentences: list[str] = []
    references: list[str] = []  # each quantity as a later comparison names it
    changed: list[bool] = []  # whether an event has happened to it
    for i, node in enumerate(nodes):
        group = len(node.owners) > 1
        subject = _join([people[owner] for owner in node.owners])
        changed.append(node.operation in EVENTS or (group and any(changed[j] for j in node.inputs)))
        if node.operation == "given":
            sentences.append(f"{subject} has {node.number} {counted(node.number, thing)}.")
        elif node.operation == "total":
            # A total goes without saying, unless something happens to it next.
            if i + 1 < len(nodes) and nodes[i + 1].operation in EVENTS:
                sentences.append(f"{subject} put their {thing} together.")
        elif node.operation in EVENTS:
            sentences.append(_gsm_event(node, subject, thing))
        else:
            bare = i == 1 and rng.random() < 0.5
            what = "" if bare or rng.random() < 0.5 else thing
            sentences.append(f"{subject} has {_compared(node, what, '' if bare else references[node.inputs[0]])}.")
        subjects.append(subject)
        if not changed[i]:
            references.append(f"{subject} together" if group else subject)
        else:
            references.append(f"{subject} have together now" if group else f"{subject} has now")

    group = len(nodes[-1].owners) > 1
    what = f" {thing}" if rng.random() < 0.5 else ""
    end = (" together" if group else "") + (" now" if changed[-1] else "")
    sentences.append(f"How many{what} {'do' if group else 'does'} {subjects[-1]} have{end}?")
    verbs = tuple("have" if len(node.owners) > 1 else "has" for node in nodes)
    variables = tuple("total" if len(node.owners) > 1 else s.lower() for node, s in zip(nodes, subjects, strict=True))
    return Problem(graph, tuple(sentences), thing, tuple(subjects), verbs, variables, people)


def _gsm_event(node: Node, subject: str, thing: str) -> str:
    group = len(node.owners) > 1
    actor, s = ("They", "") if group else (subject, "s")
    n = node.number
    if node.operation == "buy":
        return f"{actor} buy{s} {n} {counted(n, thing)}."
    if node.operation == "give":
        return f"{actor} give{s} away {n} {counted(n, thing)}."
    whose = "their" if group else NAMES[subject]
    return f"{actor} split{s} {whose} {thing} into {n} equal parts and keep{s} one part."


def _word_math(graph: Graph, thing: str, rng: Random) -> Problem:
    nodes = graph.nodes
    subjects: list[str] = []
    sentences: list[str] = []
    changed: list[bool] = []
    for node in nodes[:-1]:
        box = f"Box {BOXES[node.owners[0]]}"
        if node.operation in EVENTS:
            sentences.append(_math_event(node, box, thing))
        else:
            inside = rng.random() < 0.5
            if node.operation == "given":
                amount = f"{node.number} {counted(node.number, thing)}"
            else:
                other, has_changed = subjects[node.inputs[0]], changed[node.inputs[0]]
                if inside:
                    amount = _compared(node, thing, f"in {other}{' now' if has_changed else ''}")
                else:
                    amount = _compared(node, thing, f"{other}{' holds now' if has_changed else ''}")
            are = "is" if node.number == 1 and node.operation in ("given", "more", "fewer") else "are"
            sentences.append(f"In {box} there {are} {amount}." if inside else f"{box} holds {amount}.")
        subjects.append(box)
        changed.append(node.operation in EVENTS)
    sentences.append(f"How many {thing} are in all the boxes together{' now' if any(changed) else ''}?")
    verbs = ("holds",) * len(subjects) + ("hold",)
    variables = (*(box[-1].lower() for box in subjects), "total")
    names = tuple(f"Box {letter}" for letter in BOXES[: len(nodes[-1].owners)])
    return Problem(graph, tuple(sentences), thing, (*subjects, "The boxes"), verbs, variables, names)


def _math_event(node: Node, box: str, thing: str) -> str:
    n = node.number
    if node.operation == "share":
        return f"Then the {thing} in {box} are divided into {n} equal parts, and only one part stays there."
    are = "is" if n == 1 else "are"
    return f"Then {n} {counted(n, thing)} {are} {'added to' if node.operation == 'buy' else 'taken out of'} {box}."


def _compared(node: Node, thing: str, other: str) -> str:
    """ "3 more pens than Ann", with the thing or the other left out where empty."""
    if node.operation in ("more", "fewer"):
        amount, relation, what = f"{node.number} {node.operation}", " than ", thing and counted(node.number, thing)
    elif node.operation == "times":
        amount, relation, what = f"{node.number} times as many", " as ", thing
    else:
        amount, relation, what = f"{FRACTION_WORDS[node.number]} as many", " as ", thing
    return amount + (what and f" {what}") + (other and f"{relation}{other}")


def _join(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
