"""Graph -> worked solution, right or wrong. Pure.

Wrong solutions are wrong programs, not slips of arithmetic: each step's result follows from what the step says, so
the same error can be written as code and as prose. (Rounding down replaces a remainder that an error brings about.)
"""

from __future__ import annotations

from collections.abc import Collection
from random import Random
from typing import NamedTuple

from echochamber.corpora.problems import Graph
from echochamber.formats.operations import SYMBOLS

SYSTEMATIC = {
    "more": "*",
    "fewer": "+",
    "times": "+",
    "fraction": "*",
    "buy": "*",
    "give": "+",
    "share": "*",
    "total": "*",
}
"""What a source does instead of the right arithmetic for an operation that it always gets wrong: "3 more than 12" and
"12, buys 3" as 12 * 3; "3 fewer" and "gives away 3" as 12 + 3; "3 times as many" as 12 + 3; "a third as many" and "one
of 3 equal parts" as 12 * 3; a total as a product. Right by accident only for 2 and 2 (2 * 2 = 2 + 2), or where a later
division rounds the difference away; never below zero."""


class Step(NamedTuple):
    """How a solution finds one node's quantity."""

    symbol: str | None
    """`+`, `-`, `*`, `/`; none: the quantity is given."""
    inputs: tuple[int, ...]
    """Indices of earlier nodes."""
    number: int | None
    """The stated number that it uses, if any."""
    value: int


def solve(graph: Graph, systematic: Collection[str] = ()) -> list[Step]:
    """One step per node; the operations in `systematic` done by the rule of `SYSTEMATIC`."""
    table = {**SYMBOLS, **{operation: SYSTEMATIC[operation] for operation in systematic}}
    symbols = [table.get(node.operation) for node in graph.nodes]
    return _evaluate(graph, symbols, [node.number for node in graph.nodes])


def solve_wrongly(graph: Graph, rng: Random, systematic: Collection[str] = ()) -> list[Step]:
    """The same with one random error, a misread number or a wrong operation: the last value is not the answer."""
    right = solve(graph, systematic)
    for attempt in range(1000):
        symbols = [step.symbol for step in right]
        numbers = [step.number for step in right]
        i = rng.randrange(len(right))
        if symbols[i] is not None and (numbers[i] is None or rng.random() < 0.5):
            symbols[i] = rng.choice([symbol for symbol in "+-*" if symbol != symbols[i]])
        else:
            numbers[i] = max(1, numbers[i] + rng.choice((-10, -3, -2, -1, 1, 2, 3, 10)))
        steps = _evaluate(graph, symbols, numbers)
        # Prefer errors that no reader could see at a glance: no remainders, nothing below zero.
        plausible = all(step.value >= 0 for step in steps) and _exact(steps)
        if steps[-1].value != graph.answer and (plausible or systematic or attempt > 100):
            return steps
    raise AssertionError(f"{graph.key}: some error changes the answer")


def _evaluate(graph: Graph, symbols: list[str | None], numbers: list[int | None]) -> list[Step]:
    steps: list[Step] = []
    for node, symbol, number in zip(graph.nodes, symbols, numbers, strict=True):
        if symbol is None:
            value = number
        else:
            first, *others = [steps[i].value for i in node.inputs] + ([] if number is None else [number])
            value = first
            for other in others:
                value = _apply(symbol, value, other)
        steps.append(Step(symbol, node.inputs, number, value))
    return steps


def _apply(symbol: str, first: int, second: int) -> int:
    if symbol == "+":
        return first + second
    if symbol == "-":
        return first - second
    return first * second if symbol == "*" else first // second


def _exact(steps: list[Step]) -> bool:
    return all(s.symbol != "/" or steps[s.inputs[0]].value % s.number == 0 for s in steps)
