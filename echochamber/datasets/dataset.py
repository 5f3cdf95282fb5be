"""What there is to say of a public dataset: where it lies, which columns it has, how large it is. Pure data.

The pages of the datasets say the same: `https://huggingface.co/datasets/<repository>`. Patterns are tried in order, and
the first one that matches any file counts; those after the first are the layouts of copies in other places. None
matches the test split of a benchmark for a corpus, a subset that repeats rows, or OpenMathInstruct-1's wrong solutions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

GoldForm = Literal["after_hashes", "in_the_last_box", "as_it_stands", "integral", "number", "latex", "choice", "list"]
"""How a gold answer stands in its column (`echochamber.corpora.golds`); the last four are of people's own questions."""


def split_files(config: str | None, split: str) -> tuple[str, ...]:
    """Where a repository of the hub keeps a split, as the hub's own conventions say; the first that is there counts.

    Args:
        split: its name, or a pattern of files (what holds `*`, `.` or `/`), which is taken as it is.
    """
    if any(mark in split for mark in "*./"):
        return (split,)
    folders = (f"{config}/", f"data/{config}/") if config else ("data/", "")
    shapes = ("-*.parquet", ".parquet", "/*.parquet", "-*.jsonl*", ".jsonl*", "-*.json*", ".json*", ".csv*")
    return tuple(f"{folder}{split}{shape}" for folder in folders for shape in shapes)


@dataclass(frozen=True)
class QuestionColumns:
    """How questions and golds stand in the rows of a question set."""

    question: tuple[tuple[str, ...], ...]
    """Columns of the question, joined by a space; one tuple for each layout."""
    gold: tuple[str, ...]
    """Column of the answer, one for each layout."""
    gold_form: GoldForm
    options: str | None = None
    """Column of the options of a multiple choice; None: the question states them."""
    solution_column: str | None = None
    """A worked solution; None: none has a column of its own."""

    @property
    def solution(self) -> str | None:
        """The column of a worked solution: its own, or that of the answer where it is read from one; None: none."""
        in_gold = self.gold_form in ("after_hashes", "in_the_last_box")
        return self.solution_column or (self.gold[0] if in_gold else None)


@dataclass(frozen=True)
class HubCorpus:
    """A source of documents."""

    repository: str
    patterns: tuple[str, ...]
    """Of paths in the repository, as `fnmatch` reads them (`*` matches `/` as well)."""
    columns: tuple[str, ...]
    """A document is these columns, an empty line between them (the paper's format)."""
    licence: str
    documents: float | None = None
    """How many rows it has, for plans made before anything is downloaded; None where nothing hangs on it."""
    tokens: float | None = None
    """Of Llama-2 in all of them, from the paper; None: `characters` tells."""
    characters: float = 0.0
    """Of a mean document, from a hundred real rows."""
    beside: str | None = None
    """Another dataset that may be meant by the same name: `snakemake mixtures` prints the shares with it as well."""


@dataclass(frozen=True)
class HubQuestionSet:
    """A source of questions with answers."""

    repository: str
    patterns: dict[str, tuple[str, ...]]
    """Of each split."""
    question: tuple[tuple[str, ...], ...]
    """Columns of the question, joined by a space; one tuple for each layout."""
    gold: tuple[str, ...]
    """Column of the answer, one for each layout."""
    gold_form: GoldForm
    licence: str
    sizes: dict[str, int]
    """Questions of each split."""
    characters: float
    """Of a mean question."""

    @property
    def columns(self) -> QuestionColumns:
        return QuestionColumns(self.question, self.gold, self.gold_form)

    @property
    def splits(self) -> tuple[str, ...]:
        """Those that may be used: RL trains on `train`, benchmarks are `test`."""
        return tuple(self.patterns)
