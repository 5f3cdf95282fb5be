"""Background text: what surrounds the question-and-answer corpora in pretraining. Pure, given a generator.

`arithmetic_prose` stands for FineMath, `small_code` for Algebraic-Stack: no questions, no final answers, none of the
marks of an answer format. Both speak the vocabulary of the other sources, so the tokenizer needs little more.
"""

from __future__ import annotations

from random import Random

_SENTENCES = 5
_FUNCTIONS = 2


def background(style: str, low: int, high: int, rng: Random) -> str:
    """One document of the style with numbers from low to high."""
    return {"arithmetic_prose": _arithmetic_prose, "small_code": _small_code}[style](low, high, rng)


def _arithmetic_prose(low: int, high: int, rng: Random) -> str:
    sentences = []
    for _ in range(_SENTENCES):
        a, b, c = rng.randint(low, high), rng.randint(low, high), rng.randint(2, 5)
        sentences.append(
            rng.choice(
                (
                    f"The sum of {a} and {b} is {a + b}.",
                    f"{b} more than {a} is {a + b}.",
                    f"{min(a, b)} fewer than {a + b} is {a + b - min(a, b)}.",
                    f"{c} times {a} is {a * c}.",
                    f"A number that is {c} times as large as {b} is {b * c}.",
                    f"Half of {2 * a} is {a}.",
                    f"A third of {3 * b} is {b}.",
                    f"A quarter of {4 * a} is {a}.",
                    f"{c} equal parts of {a * c} are {a} each.",
                )
            )
        )
    return " ".join(sentences)


def _small_code(low: int, high: int, rng: Random) -> str:
    functions = rng.sample((_add, _take, _scale, _split, _sum_all, _count), _FUNCTIONS)
    return "\n\n\n".join("\n".join(f(rng.randint(low, high), rng.randint(2, 5))) for f in functions)


def _add(n: int, c: int) -> tuple[str, ...]:
    return "def add(x):", f"    return x + {n}"


def _take(n: int, c: int) -> tuple[str, ...]:
    return "def take(x):", f"    if x < {n}:", "        return 0", f"    return x - {n}"


def _scale(n: int, c: int) -> tuple[str, ...]:
    return "def scale(x):", f"    y = x * {c}", f"    return y + {n}"


def _split(n: int, c: int) -> tuple[str, ...]:
    return "def split(x):", f"    return x // {c}"


def _sum_all(n: int, c: int) -> tuple[str, ...]:
    return (
        "def sum_all(values):",
        f"    total = {n}",
        "    for x in values:",
        "        total = total + x",
        "    return total",
    )


def _count(n: int, c: int) -> tuple[str, ...]:
    return (
        "def count(values):",
        "    n = 0",
        "    for x in values:",
        f"        if x > {n}:",
        "            n = n + 1",
        "    return n",
    )
