"""How large the public corpora and question sets are: for plans made before anything is downloaded.

Tokens are Llama-2's. Those of FineMath, Algebraic-Stack, TinyGSM and MetaMathQA are the paper's; those of the two
OpenMathInstruct sets are their rows times the mean length of a hundred real rows, at `CHARACTERS_PER_TOKEN`.
"""

from __future__ import annotations

from typing import NamedTuple

CHARACTERS_PER_TOKEN = {"hub": 3.0, "bpe": 2.6}
"""By kind of tokenizer. bpe: of the demo's 512 tokens on its own documents; hub: Llama-2's on texts with many digits,
each of which is a token."""


class Size(NamedTuple):
    documents: float | None
    """Rows; None where nothing hangs on it."""
    tokens: float


CORPORA = {
    "finemath-3plus": Size(None, 41.4e9),
    "algebraic-stack": Size(None, 12.2e9),
    "tinygsm": Size(12.3e6, 2.67e9),
    "openmathinstruct-1": Size(1.8e6, 1.8e6 * 583 / CHARACTERS_PER_TOKEN["hub"]),
    "openmathinstruct-2": Size(14e6, 14e6 * 1371 / CHARACTERS_PER_TOKEN["hub"]),
    "metamathqa": Size(0.395e6, 0.1e9),
    "gsm8k-train": Size(7473, 7473 * 524 / CHARACTERS_PER_TOKEN["hub"]),
}


class Questions(NamedTuple):
    train: int
    test: int
    characters: float
    """Of a mean question."""


QUESTIONS = {
    "gsm8k": Questions(7473, 1319, 235),
    "math": Questions(7500, 0, 196),
    "math-500": Questions(0, 500, 196),
    "aime-1983-2024": Questions(0, 933, 340),
    "aime-2022-2024": Questions(0, 90, 340),
    "svamp": Questions(700, 300, 190),
}
"""Characters are means over the official files; MATH is taken to be like MATH-500, and SVAMP is a guess."""
