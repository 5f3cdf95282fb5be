"""Mixtures: k passes over each source, in one seeded global order, cut or packed into rows.

A mixture is a manifest; no token is copied. The order is a formula (`data.permutation`), the same for any number
of workers, and a position in it is one integer: the number of the batch.
"""

from __future__ import annotations

import json
from bisect import bisect_left, insort
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from echochamber.data import shards
from echochamber.data.permutation import Permutation
from echochamber.data.shards import Corpus
from echochamber.errors import UserError
from echochamber.stats.columns import Column, Table

if TYPE_CHECKING:
    import pandas as pd

IGNORED = -100
"""Label of a token that gives no loss."""
BLOCK = 1 << 18
"""Documents whose lengths are looked up at once."""


def seen(units: int, passes: float) -> int:
    """How many of `units` documents, rows or tokens so many passes see: of a part of a pass the first ones."""
    return int(units * passes + 1e-9)  # 0.1 + 0.2 passes over 10 documents are 3


def manifest(passes: dict[str, float], corpora: dict[str, str], background: list[str]) -> dict[str, Any]:
    """What a mixture holds: of each source its folder, passes, documents and tokens after the passes, and share."""
    sources: dict[str, dict[str, Any]] = {}
    for name, count in passes.items():
        part = json.loads((Path(corpora[name]) / "manifest.json").read_text(encoding="utf-8"))["train"]
        sources[name] = {"corpus": corpora[name], "passes": count, "background": name in background}
        sources[name] |= {"documents": seen(part["documents"], count), "tokens": seen(part["tokens"], count)}
    tokens = sum(source["tokens"] for source in sources.values())
    for source in sources.values():
        source["share"] = source["tokens"] / tokens
    share = sum(source["share"] for source in sources.values() if source["background"])
    return {"sources": sources, "tokens": tokens, "background_share": share}


def verify(mixture: dict[str, Any]) -> None:
    """Refuse a mixture of which some shard is no longer what its corpus's manifest says (`shards.verify`)."""
    for source in mixture["sources"].values():
        shards.verify(Path(source["corpus"]))


MIXTURES = Table(
    "mixtures",
    "a source of a mixture, or all of them (printed, no file)",
    (
        Column("mixture", "text", "name in the grid file"),
        Column("source", "text", "name in the grid file, or `all`"),
        Column("passes", "text", "over the source"),
        Column("documents", "count", "after the passes"),
        Column("tokens", "count", "after the passes", "tokens"),
        Column("share", "number", "of the mixture's tokens"),
    ),
)


def table(manifests: dict[str, Path]) -> pd.DataFrame:
    """What mixtures hold: the table `MIXTURES`.

    Args:
        manifests: mixture -> its manifest.
    """
    import pandas as pd  # here: pretraining reads mixtures too

    rows = []
    for name, path in manifests.items():
        mixture = json.loads(path.read_text(encoding="utf-8"))
        for source, part in mixture["sources"].items():
            rows.append((name, source, part["passes"], part["documents"], part["tokens"], round(part["share"], 4)))
        documents = sum(part["documents"] for part in mixture["sources"].values())
        rows.append((name, "all", "", documents, mixture["tokens"], 1.0))
    return pd.DataFrame(rows, columns=list(MIXTURES))


def scaled(mixtures: pd.DataFrame, factors: Mapping[str, float]) -> pd.DataFrame:
    """The table `MIXTURES` if some sources had so many times the documents and tokens; only mixtures that hold one."""
    import pandas as pd

    parts = []
    for _, rows in mixtures.groupby("mixture", sort=False):
        rows = rows.assign(documents=rows["documents"].astype(float), tokens=rows["tokens"].astype(float))
        whole = rows["source"] == "all"
        if not set(rows["source"]) & set(factors):
            continue
        factor = rows["source"].map(factors).fillna(1.0)
        for column in ("documents", "tokens"):
            rows[column] = (rows[column] * factor).round()
            rows.loc[whole, column] = rows.loc[~whole, column].sum()
        rows["share"] = (rows["tokens"] / rows.loc[whole, "tokens"].sum()).round(4)
        parts.append(rows.astype({"documents": int, "tokens": int}))
    return pd.concat(parts, ignore_index=True) if parts else mixtures.iloc[:0]


class Batch(NamedTuple):
    """Rows of tokens: int64, (rows, length)."""

    ids: np.ndarray
    labels: np.ndarray
    """The same tokens, -100 where a token gives no loss: padding, and the first of a document that stands alone."""
    positions: np.ndarray | None
    """Place of each token in its document; None where a row is one text from end to end."""


class Batches:
    """Batches of a mixture by number.

    `concatenate`: each source is one stream of tokens, cut into rows of `length`, wherever that falls (the paper's).
    `document`: whole documents, each put into the row of the batch that it fills best; a batch ends with the first
    document that fits nowhere. Rows are filled up with padding. Positions start again with every document, and the
    model must attend within a document only: what stands before it in its row depends on its length, and so on its
    format, which would teach formats a place instead of a share. `document_mask` gives `concatenate` such positions.

    Memory does not grow with the mixture: a place in the order is a formula, tokens are mapped. Finding the batches of
    `document` takes one look at the length of each document.
    """

    def __init__(
        self,
        mixture: dict[str, Any],
        *,
        length: int,
        rows: int,
        packing: str,
        seed: int,
        pad: int,
        document_mask: bool = False,
    ) -> None:
        self.length, self.rows, self.pad, self.packing = length, rows, pad, packing
        self.mask = document_mask or packing == "document"
        sources = mixture["sources"].values()
        self.corpora = [Corpus(Path(source["corpus"])) for source in sources]
        if packing == "concatenate":
            self.units = [corpus.tokens // length for corpus in self.corpora]
        else:
            self.units = [len(corpus) for corpus in self.corpora]
        counts = [seen(units, source["passes"]) for units, source in zip(self.units, sources, strict=True)]
        for name, source, units in zip(mixture["sources"], sources, self.units, strict=True):
            if not units:
                raise UserError(
                    f"{source['corpus']}: found no row of {length} tokens of {name} to train on, allowed: at least one "
                    "(more documents or max_tokens, fewer held out, a shorter sequence_length)"
                )
        self.ends = np.cumsum(counts)
        self.size = int(self.ends[-1])
        if not self.size:
            raise UserError(
                f"mixture: found no row of {length} tokens, allowed: more documents or a shorter sequence_length"
            )
        self.order = Permutation(self.size, seed)
        self.starts = self._starts() if packing == "document" else None

    def __len__(self) -> int:
        return max(self.size // self.rows, 1) if self.starts is None else len(self.starts) - 1

    def batch(self, number: int, rows: slice = slice(None)) -> Batch:
        """Batch `number`: arrays of int64, (rows, length).

        Args:
            rows: those to give: a process reads its own part of a batch only.
        """
        if self.starts is None:
            indices = np.arange(number * self.rows, min((number + 1) * self.rows, self.size))
            return self._rows_of_the_stream(indices[rows], len(range(self.rows)[rows]))
        wanted = range(self.rows)[rows]
        ids = np.full((self.rows, self.length), self.pad, dtype=np.int64)
        labels = np.full_like(ids, IGNORED)
        positions = np.zeros_like(ids)
        filled = np.zeros(self.rows, dtype=np.int64)
        for source, document in self._units(np.arange(self.starts[number], self.starts[number + 1])):
            tokens = self.corpora[source].document(document)
            row = best_fit(self.length - filled, len(tokens))
            taken = slice(filled[row], filled[row] + len(tokens))
            filled[row] += len(tokens)
            if row in wanted:
                ids[row, taken] = labels[row, taken] = tokens
                positions[row, taken] = np.arange(len(tokens))
                labels[row, taken.start] = IGNORED  # nothing before it to predict it from
        return Batch(ids[rows], labels[rows], positions[rows])

    def _rows_of_the_stream(self, indices: np.ndarray, rows: int) -> Batch:
        ids = np.full((rows, self.length), self.pad, dtype=np.int64)
        labels = np.full_like(ids, IGNORED)
        positions = np.zeros_like(ids) if self.mask else None
        for row, (source, unit) in enumerate(self._units(indices)):
            begin, end = unit * self.length, (unit + 1) * self.length
            ids[row] = labels[row] = self.corpora[source].stream(begin, end)
            if positions is not None:
                starts = np.unique([0, *self.corpora[source].starts(begin, end)])
                lengths = np.diff([*starts, self.length])
                positions[row] = np.arange(self.length) - np.repeat(starts, lengths)
                labels[row, starts] = IGNORED
        return Batch(ids, labels, positions)

    def _units(self, indices: np.ndarray) -> list[tuple[int, int]]:
        """(source, number of its row or document) at indices of the global order."""
        sources, units = self._numbers(indices)
        return list(zip(sources.tolist(), units.tolist(), strict=True))

    def _numbers(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        chosen = self.order(indices)
        sources = np.searchsorted(self.ends, chosen, side="right")
        begins = np.concatenate([[0], self.ends])[sources]
        return sources, (chosen - begins) % np.array(self.units)[sources]

    def _starts(self) -> np.ndarray:
        """Place in the global order where each batch of whole documents begins, and where the last one ends."""
        longest = max(corpus.longest() for corpus in self.corpora)
        if longest > self.length:
            raise UserError(
                f"pretraining.sequence_length: found {self.length}, allowed with packing document: "
                f"at least {longest}, the longest document of the mixture"
            )
        # Which of several rows with equal room is taken does not matter here, so the rooms alone are kept, in order.
        starts, room = [0], [self.length] * self.rows
        for begin in range(0, self.size, BLOCK):
            indices = np.arange(begin, min(begin + BLOCK, self.size))
            for index, tokens in enumerate(self._lengths(indices).tolist(), begin):
                row = bisect_left(room, tokens)
                if row == self.rows:
                    starts.append(index)
                    room, row = [self.length] * self.rows, 0
                insort(room, room.pop(row) - tokens)
        return np.array([*starts, self.size])

    def _lengths(self, indices: np.ndarray) -> np.ndarray:
        """Tokens of the documents at indices of the global order."""
        sources, documents = self._numbers(indices)
        lengths = np.empty(len(indices), dtype=np.int64)
        for number, corpus in enumerate(self.corpora):
            lengths[sources == number] = corpus.lengths(documents[sources == number])
        return lengths


def best_fit(room: np.ndarray, tokens: int) -> int | None:
    """The row with the least room that still holds `tokens`, the first of equals; None if there is none."""
    fits = room >= tokens
    if not fits.any():
        return None
    return int(np.where(fits, room, np.iinfo(room.dtype).max).argmin())
