"""Which documents of a corpus give a question of a question set away: shared runs of words (n-grams).

Words are runs of letters and digits, in lower case. A question of 13 words or more is in a document if they share 13
words in a row (the length of the GPT-3 paper, Brown et al. 2020, appendix C); a shorter one if they share 8 in a row;
one of fewer than 8 words is not looked for, since it would be found in innocent texts. Time is linear in the corpus,
memory that of the questions and of a thousand documents.

What it cannot see: a paraphrase, other numbers in the same story, a translation.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from echochamber.corpora.documents import BadRow, Document, Question, flaw
from echochamber.corpora.sources import read_questions
from echochamber.stats.columns import Column, Table

if TYPE_CHECKING:
    import pandas as pd

LONG, SHORT = 13, 8
"""Words in a row."""
BATCH = 1000
CONTAMINATION = Table(
    "contamination",
    "the questions of a question set and length of n-gram in the documents of a source",
    (
        Column("source", "text", "name of the corpus in the grid file"),
        Column("question_set", "text", "name in the grid file"),
        Column("split", "text", "`train` or `test`"),
        Column("ngram", "count", "words in a row that give a question away; 0: too short to be looked for"),
        Column("questions", "count", "questions of this length"),
        Column("questions_found", "count", "of them, given away by a document"),
        Column("documents", "count", "documents of the source"),
        Column("documents_found", "count", "of them, that give a question away"),
    ),
)

_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


@dataclass(frozen=True)
class Asked:
    """One question and where it is from."""

    question_set: str
    split: str
    id: str
    ngram: int
    """Words in a row that give it away; 0: too short to be looked for."""


class Index:
    """The n-grams of questions, for looking them up in many documents at once."""

    def __init__(self, questions: Iterable[tuple[str, str, Question]]) -> None:
        """From (question set, split, question)."""
        self.questions: list[Asked] = []
        self.numbers: dict[str, int] = {}  # word -> number; 0 is any word that no question has
        owners: dict[int, dict[tuple[int, ...], set[int]]] = {LONG: {}, SHORT: {}}
        for question_set, split, question in questions:
            ids = [self.numbers.setdefault(word, len(self.numbers) + 1) for word in words(question.question)]
            ngram = LONG if len(ids) >= LONG else SHORT if len(ids) >= SHORT else 0
            for start in range(len(ids) - ngram + 1 if ngram else 0):
                owners[ngram].setdefault(tuple(ids[start : start + ngram]), set()).add(len(self.questions))
            self.questions.append(Asked(question_set, split, question.question_id, ngram))
        self._multipliers = np.random.default_rng(0).integers(0, 2**63, LONG, dtype=np.uint64) * np.uint64(
            2
        ) + np.uint64(1)
        self._grams = {}
        for ngram, grams in owners.items():
            hashes = self._hash(np.array(list(grams), dtype=np.uint64).reshape(-1, ngram).T)
            order = hashes.argsort()
            self._grams[ngram] = (
                hashes[order],
                [sorted(owner) for owner in map(list(grams.values()).__getitem__, order)],
            )

    def hits(self, texts: Sequence[str]) -> np.ndarray:
        """Which texts share an n-gram with any question: bool, (texts,)."""
        shares = np.zeros(len(texts), dtype=bool)
        shares[[text for text, _ in self.find(texts)]] = True
        return shares

    def find(self, texts: Sequence[str]) -> set[tuple[int, int]]:
        """(number of the text, number of the question) of all pairs that share an n-gram."""
        lookup = self.numbers.get
        ids = [[*(lookup(word, 0) for word in words(text)), 0] for text in texts]
        flat = np.fromiter((number for row in ids for number in row), dtype=np.uint64, count=sum(map(len, ids)))
        text_of = np.repeat(np.arange(len(texts)), [len(row) for row in ids])
        unknown = np.concatenate([[0], (flat == 0).cumsum()])  # a run of words must not reach over one, nor over an end
        pairs = set()
        for ngram, (keys, owners) in self._grams.items():
            if not len(keys) or len(flat) < ngram:
                continue
            starts = np.flatnonzero(unknown[ngram:] == unknown[:-ngram])
            hashes = self._hash([flat[starts + offset] for offset in range(ngram)])
            indices = np.minimum(keys.searchsorted(hashes), len(keys) - 1)
            for hit in np.flatnonzero(keys[indices] == hashes):
                pairs |= {(int(text_of[starts[hit]]), owner) for owner in owners[indices[hit]]}
        return pairs

    def _hash(self, columns: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """64 bits of each row of word numbers, given column by column."""
        total = np.zeros(len(columns[0]) if len(columns) else 0, dtype=np.uint64)
        for column, multiplier in zip(columns, self._multipliers, strict=False):
            mixed = (column + multiplier) * multiplier
            total = (total ^ mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        return total


def index(files: Iterable[str | Path]) -> Index:
    """Of question files, `.../questions/<set>/<split>.jsonl`."""
    paths = [Path(file) for file in files]
    return Index((path.parent.name, path.stem, question) for path in paths for question in read_questions(path))


class StretchRow(TypedDict):
    """What a stretch of documents gives away of one question set, split and length of n-gram."""

    question_set: str
    split: str
    ngram: int
    documents: int
    """That give any of these questions away."""
    questions: list[str]
    """Their ids."""


class Stretch(TypedDict):
    """What `scan` has seen in one stretch of documents; a file of JSON."""

    documents: int
    """How many were looked at."""
    found: list[StretchRow]


@dataclass
class _Hits:
    documents: int = 0
    questions: set[str] = field(default_factory=set)


def scan(
    documents: Iterator[Document | BadRow], ngrams: Index, progress: Callable[[int], None] = lambda documents: None
) -> Stretch:
    """What a stretch of documents gives away."""
    count = 0
    hits: dict[tuple[str, str, int], _Hits] = {}
    while batch := list(islice(documents, BATCH)):
        texts = [row.text for row in batch if isinstance(row, Document) and not flaw(row.text)]
        count += len(texts)
        given_away: dict[tuple[str, str, int], set[int]] = {}
        for text, number in ngrams.find(texts):
            asked = ngrams.questions[number]
            key = asked.question_set, asked.split, asked.ngram
            given_away.setdefault(key, set()).add(text)
            hits.setdefault(key, _Hits()).questions.add(asked.id)
        for key, numbers in given_away.items():
            hits[key].documents += len(numbers)
        progress(count)
    rows: list[StretchRow] = [
        {
            "question_set": name,
            "split": split,
            "ngram": ngram,
            "documents": part.documents,
            "questions": sorted(part.questions),
        }
        for (name, split, ngram), part in sorted(hits.items(), key=itemgetter(0))
    ]
    return {"documents": count, "found": rows}


def table(scans: dict[str, list[Stretch]], ngrams: Index) -> pd.DataFrame:
    """One row for each source, question set, split and length of n-gram.

    Args:
        scans: source -> what `scan` has found in its stretches.

    Returns:
        The table `CONTAMINATION`. `ngram` 0 counts the questions that are too short to be looked for.
    """
    import pandas as pd  # here: a shard of a corpus is tokenised without it

    asked = Counter((question.question_set, question.split, question.ngram) for question in ngrams.questions)
    rows = []
    for source, stretches in sorted(scans.items()):
        documents = sum(stretch["documents"] for stretch in stretches)
        for (name, split, ngram), count in sorted(asked.items()):
            parts = [
                part
                for stretch in stretches
                for part in stretch["found"]
                if (part["question_set"], part["split"], part["ngram"]) == (name, split, ngram)
            ]
            questions = {question for part in parts for question in part["questions"]}
            hit = sum(part["documents"] for part in parts)
            rows.append((source, name, split, ngram, count, len(questions), documents, hit))
    return pd.DataFrame(rows, columns=list(CONTAMINATION))
