"""Grade-school problems as small dependency graphs: structure and numbers, no words. Pure.

A graph is a list of nodes in the order in which a reader meets them. A `given` node is a stated quantity; every other
node is one operation on earlier nodes. Quantities are bounded positive integers, and every division is exact.

- `gsm`: a chain. Each operation works on the quantity that the last one gave; `total` adds to it either a new given
  quantity or the quantity that it was compared with.
- `math`: a tree. Comparisons refer to any earlier quantity, and the last operation is a `total` of all of them, three
  or more. A `total` of three or more never occurs in `gsm`, so no `math` shape does.

The split of a problem is a hash of its canonical form: what its words are, and the order of what commutes, play no
part. Nothing needs to be remembered to keep corpus, train and test apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from random import Random
from typing import Literal, NamedTuple

from echochamber.formats.operations import SYMBOLS
from echochamber.settings import Problems

Split = Literal["corpus", "train", "test"]

COMPARISONS = ("more", "fewer", "times", "fraction")
"""Operations that introduce a new owner, compared with an earlier quantity."""
EVENTS = ("buy", "give", "share")
"""Operations that change what an owner has."""

FACTORS = range(2, 6)
"""Factors of `times` and parts of `share`, whatever `Problems.numbers` says."""
FRACTIONS = range(2, 5)
"""Denominators of `fraction`: half, a third, a quarter."""
SMALLEST = 2
"""No operation leaves less: one thing would need other words."""
LARGEST = 5
"""No quantity exceeds this many times the largest stated number; the `math` total may be twice that."""

_SHARES_OF_100 = {"corpus": 60, "train": 25, "test": 15}
_ATTEMPTS = 2000
"""Fruitless draws in a row after which settings count as infeasible."""


class Node(NamedTuple):
    """One quantity."""

    operation: str
    """`given` or one of `settings.OPERATIONS`."""
    inputs: tuple[int, ...]
    """Indices of earlier nodes."""
    number: int | None
    """The number stated with it: the quantity itself if given, the operation's second operand; none for `total`."""
    value: int
    owners: tuple[int, ...]
    """Whose quantity it is: people or boxes, counted in the order of appearance."""


class Graph(NamedTuple):
    """A problem without words. The last node is what is asked for."""

    family: str
    nodes: tuple[Node, ...]
    key: str
    """Canonical form with numbers: graphs of one key are the same problem."""

    @property
    def answer(self) -> int:
        return self.nodes[-1].value


def evaluate(operation: str, operands: list[int]) -> int:
    """Result of an operation on its operands; raises ValueError on a division with a remainder."""
    symbol = SYMBOLS[operation]
    if symbol == "+":
        return sum(operands)
    first, second = operands
    if symbol == "-":
        return first - second
    if symbol == "*":
        return first * second
    if first % second:
        raise ValueError(f"{operation}: {first} / {second} leaves a remainder")
    return first // second


def canonical_key(nodes: tuple[Node, ...]) -> str:
    """Expression of the last node in its operations and numbers, operands sorted where they commute."""
    expressions: list[str] = []
    for node in nodes:
        if node.operation == "given":
            expressions.append(str(node.value))
            continue
        operands = [expressions[i] for i in node.inputs]
        if node.number is not None:
            operands.append(str(node.number))
        if SYMBOLS[node.operation] in "+*":
            operands.sort()
        expressions.append(f"{node.operation}({','.join(operands)})")
    return expressions[-1]


def split_of(key: str) -> Split:
    """The split that a canonical form belongs to: 60 % corpus, 25 % train, 15 % test of all forms."""
    bucket = int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big") % 100
    for split, share in _SHARES_OF_100.items():
        bucket -= share
        if bucket < 0:
            return split
    raise AssertionError("shares sum to 100")


def graphs(settings: Problems, rng: Random) -> Iterator[Graph]:
    """Endless independent draws of the distribution; kinds and count of steps uniform, then numbers uniform.

    Raises ValueError (one line) if the settings allow no problem at all.
    """
    draw = _chain if settings.family == "gsm" else _tree
    low, high = settings.steps
    misses = 0
    while True:
        nodes = draw(settings, rng.randint(low, high), rng)
        if nodes is None:
            misses += 1
            if misses == _ATTEMPTS:
                raise ValueError(
                    f"problems: found no {settings.family} question with steps {list(settings.steps)}, numbers "
                    f"{list(settings.numbers)} and operations {list(settings.operations)}, allowed: a wider range of "
                    "numbers, other operations or fewer steps"
                )
            continue
        misses = 0
        yield Graph(settings.family, tuple(nodes), canonical_key(nodes))


def to_dict(graph: Graph, names: list[str] | None = None) -> dict:
    """The graph as JSON values: what a process check compares the steps of a solution with.

    `nodes`: id, operation, inputs (ids), number (or none), value, owners (names if given, else their indices).
    """
    nodes = [
        {
            "id": i,
            "operation": node.operation,
            "inputs": list(node.inputs),
            "number": node.number,
            "value": node.value,
            "owners": [names[owner] if names else owner for owner in node.owners],
        }
        for i, node in enumerate(graph.nodes)
    ]
    return {"family": graph.family, "key": graph.key, "nodes": nodes, "answer": graph.answer}


def _chain(settings: Problems, steps: int, rng: Random) -> list[Node] | None:
    operations: list[str] = []
    for _ in range(steps):
        choices = settings.operations
        if operations and operations[-1] == "total":  # a total of a total would be a `math` total of three
            choices = [operation for operation in choices if operation != "total"]
        if not choices:
            return None
        operations.append(rng.choice(choices))
    for _ in range(20):  # new numbers for the same operations, so that rarely feasible ones are not thinned out
        nodes = _chain_numbers(operations, *settings.numbers, rng)
        if nodes is not None:
            return nodes
    return None


def _chain_numbers(operations: list[str], low: int, high: int, rng: Random) -> list[Node] | None:
    nodes = [_given(low, high, 0, rng)]
    owners = 1
    current, compared = 0, None  # nodes: the last result, and what its owner was compared with
    for operation in operations:
        if operation == "total":
            first, second = current, compared
            if second is None or rng.random() < 0.5:
                nodes.append(_given(low, high, owners, rng))
                owners += 1
                second = len(nodes) - 1
            first, second = sorted((first, second))
            node = _total(nodes, (first, second))
            if node.value > LARGEST * high:
                return None
            compared = None
        else:
            node = _step(nodes, operation, current, owners, low, high, rng)
            if node is None:
                return None
            if operation in COMPARISONS:
                owners += 1
                compared = current
        nodes.append(node)
        current = len(nodes) - 1
    return nodes


def _tree(settings: Problems, steps: int, rng: Random) -> list[Node] | None:
    choices = [operation for operation in settings.operations if operation != "total"]
    if not choices and steps > 1:
        return None
    operations = [rng.choice(choices) for _ in range(steps - 1)]
    boxes = 1 + sum(operation in COMPARISONS for operation in operations)
    for _ in range(3 - boxes):
        operations.insert(rng.randint(0, len(operations)), "given")
    for _ in range(20):
        nodes = _tree_numbers(operations, *settings.numbers, rng)
        if nodes is not None:
            return nodes
    return None


def _tree_numbers(operations: list[str], low: int, high: int, rng: Random) -> list[Node] | None:
    nodes = [_given(low, high, 0, rng)]
    latest = [0]  # node of each owner's present quantity
    for operation in operations:
        if operation == "given":
            node = _given(low, high, len(latest), rng)
        else:
            # Only the newest owner's quantity may change: nothing refers to it yet, so "now" is never in doubt.
            source = latest[-1] if operation in EVENTS else rng.choice(latest)
            node = _step(nodes, operation, source, len(latest), low, high, rng)
            if node is None:
                return None
        if operation in EVENTS:
            latest[-1] = len(nodes)
        else:
            latest.append(len(nodes))
        nodes.append(node)
    total = _total(nodes, tuple(latest))
    if total.value > 2 * LARGEST * high:
        return None
    nodes.append(total)
    return nodes


def _given(low: int, high: int, owner: int, rng: Random) -> Node:
    value = rng.randint(low, high)
    return Node("given", (), value, value, (owner,))


def _total(nodes: list[Node], inputs: tuple[int, ...]) -> Node:
    owners = tuple(sorted(owner for i in inputs for owner in nodes[i].owners))
    return Node("total", inputs, None, sum(nodes[i].value for i in inputs), owners)


def _step(
    nodes: list[Node], operation: str, source: int, new_owner: int, low: int, high: int, rng: Random
) -> Node | None:
    """An operation other than `total` on node `source` with a random fitting number; none if no number fits."""
    value = nodes[source].value
    symbol = SYMBOLS[operation]
    if symbol == "+":
        numbers = range(low, min(high, LARGEST * high - value) + 1)
    elif symbol == "-":
        numbers = range(low, min(high, value - SMALLEST) + 1)
    elif symbol == "*":
        numbers = range(FACTORS.start, min(FACTORS.stop - 1, LARGEST * high // value) + 1)
    else:
        numbers = [
            n for n in (FRACTIONS if operation == "fraction" else FACTORS) if value % n == 0 and value >= n * SMALLEST
        ]
    if not numbers:
        return None
    number = rng.choice(numbers)
    owners = (new_owner,) if operation in COMPARISONS else nodes[source].owners
    return Node(operation, (source,), number, evaluate(operation, [value, number]), owners)
