"""Whether a right answer comes by right steps, for questions whose gold graph is known.

Right steps: every quantity of the gold graph that takes an operation is computed somewhere in the completion, from the
right numbers by the right operation, and no equation in it is false. What counts is values: `3 + 4`, `4 + 3` and the
sum of two variables that hold 3 and 4 are one step; so are `x / 2` and `x * 0.5`. A sum of several quantities may be
reached by partial sums. A shortcut that skips a quantity, right as it may be, is not counted, nor is a program that
`traces` cannot follow: the share of right steps is a lower bound. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from echochamber.formats.operations import SYMBOLS
from echochamber.verify.reasoning.equations import Computation, Number, inverse
from echochamber.verify.reasoning.traces import Trace

STEPS = ("right", "false", "missing", "none")
"""Right steps; a false equation; a quantity that was not computed; no arithmetic at all that can be read."""
_SUMS = 200
"""Sums of a completion that are looked at when a total is put together from partial sums."""


def judge_steps(graph: dict[str, Any], trace: Trace) -> str:
    """One of `STEPS`. graph: as `corpora.problems.to_dict` gives it."""
    if trace.false:
        return "false"
    if not trace.computed:
        return "none"
    nodes = graph["nodes"]
    needed: Counter[Computation] = Counter()
    for node in nodes:
        if node["operation"] == "given":
            continue
        operands = [nodes[i]["value"] for i in node["inputs"]] + ([] if node["number"] is None else [node["number"]])
        if len(operands) == 2:
            needed[step(SYMBOLS[node["operation"]], *operands)] += 1
        elif not _summed(operands, trace.computed):
            return "missing"
    return "right" if needed <= Counter(trace.computed) else "missing"


def step(symbol: str, value: int, number: int) -> Computation:
    """The operation of a gold node."""
    if symbol in "+-":
        return Computation("+", tuple(sorted((value, number if symbol == "+" else -number))))
    factor: Number = number if symbol == "*" else inverse(number)
    return Computation("*", tuple(sorted((value, factor))))


def _summed(operands: Sequence[int], computed: Sequence[Computation]) -> bool:
    """Whether the sum of all operands was computed, at once or by partial sums in order.

    A set of operands is reached if two reached sets without a common member were added; single ones are reached.
    """
    reached: dict[Number, set[int]] = {}  # sum -> sets of operands with this sum, as bits
    for i, operand in enumerate(operands):
        reached.setdefault(operand, set()).add(1 << i)
    all_operands = (1 << len(operands)) - 1
    for terms in [c.terms for c in computed if c.kind == "+"][:_SUMS]:
        for left in tuple(reached.get(terms[0], ())):
            for right in tuple(reached.get(terms[1], ())):
                if not left & right:
                    if left | right == all_operands:
                        return True
                    reached.setdefault(terms[0] + terms[1], set()).add(left | right)
    return False
