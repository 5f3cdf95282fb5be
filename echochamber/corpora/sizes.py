"""How large the public corpora and question sets are: for plans made before anything is downloaded.

Tokens are Llama-2's. Those of FineMath, Algebraic-Stack, TinyGSM and MetaMathQA are the paper's; those of the two
OpenMathInstruct sets are their rows times the mean length of a hundred real rows, at `CHARACTERS_PER_TOKEN`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from echochamber import datasets
from echochamber.datasets import HubCorpus
from echochamber.settings import HubSource, Source

CHARACTERS_PER_TOKEN = {"hub": 3.0, "bpe": 2.6}
"""By kind of tokenizer. bpe: of the demo's 512 tokens on its own documents; hub: Llama-2's on texts with many digits,
each of which is a token."""


class Size(NamedTuple):
    documents: float | None
    """Rows; None where nothing hangs on it."""
    tokens: float


def _size(corpus: HubCorpus) -> Size:
    tokens = corpus.tokens
    if tokens is None:
        tokens = (corpus.documents or 0) * corpus.characters / CHARACTERS_PER_TOKEN["hub"]
    return Size(corpus.documents, tokens)


CORPORA = {name: _size(corpus) for name, corpus in datasets.CORPORA.items()}


def other_readings(sources: Mapping[str, Source]) -> Iterator[tuple[str, dict[str, float]]]:
    """Datasets of a grid that the paper's text and the authors' script mean differently (`HubCorpus.beside`).

    Yields:
        What is supposed, in one line, and source -> how many times its documents and tokens there would be.
    """
    used: dict[str, list[str]] = {}
    for name, source in sources.items():
        if isinstance(source, HubSource) and source.dataset:
            used.setdefault(source.dataset, []).append(name)
    for dataset, names in used.items():
        one, beside = datasets.CORPORA[dataset], datasets.CORPORA[dataset].beside
        if beside is not None and one.documents and (documents := datasets.CORPORA[beside].documents):
            rows = f"{documents / 1e6:.2f}M of {one.documents / 1e6:.2f}M rows"
            line = f"With {beside} in place of {dataset} (estimated by its {rows}):"
            yield line, dict.fromkeys(names, documents / one.documents)


class Questions(NamedTuple):
    train: int
    test: int
    characters: float
    """Of a mean question."""


QUESTIONS = {
    name: Questions(known.sizes.get("train", 0), known.sizes.get("test", 0), known.characters)
    for name, known in datasets.QUESTION_SETS.items()
}
"""Characters are means over the official files; MATH is taken to be like MATH-500, and SVAMP is a guess."""
