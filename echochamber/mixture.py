"""Mixtures: k passes over each source, in one seeded global order, cut or packed into rows.

A mixture is a manifest; no token is copied. The order is a formula (`echochamber.permutation`), the same for any number
of workers, and a position in it is one integer: the number of the batch.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from echochamber.job import UserError
from echochamber.permutation import Permutation
from echochamber.shards import Corpus

IGNORED = -100
"""Label of a token that gives no loss."""


def manifest(passes: dict[str, int], corpora: dict[str, str], background: list[str]) -> dict:
    """What a mixture holds: of each source its folder, passes, documents and tokens after the passes, and share."""
    sources = {}
    for name, count in passes.items():
        part = json.loads((Path(corpora[name]) / "manifest.json").read_text(encoding="utf-8"))["train"]
        sources[name] = {"corpus": corpora[name], "passes": count, "background": name in background}
        sources[name] |= {"documents": part["documents"] * count, "tokens": part["tokens"] * count}
    tokens = sum(source["tokens"] for source in sources.values())
    for source in sources.values():
        source["share"] = source["tokens"] / tokens
    share = sum(source["share"] for source in sources.values() if source["background"])
    return {"sources": sources, "tokens": tokens, "background_share": share}


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
    format, which would teach formats a place instead of a share.
    """

    def __init__(self, mixture: dict, *, length: int, rows: int, packing: str, seed: int, pad: int) -> None:
        self.length, self.rows, self.pad, self.packing = length, rows, pad, packing
        sources = mixture["sources"].values()
        self.corpora = [Corpus(Path(source["corpus"])) for source in sources]
        if packing == "concatenate":
            self.units = [len(corpus.tokens) // length for corpus in self.corpora]
        else:
            self.units = [len(corpus) for corpus in self.corpora]
        counts = [units * source["passes"] for units, source in zip(self.units, sources, strict=True)]
        self.ends = np.cumsum(counts)
        self.size = int(self.ends[-1])
        if not self.size:
            raise UserError(
                f"mixture: found no row of {length} tokens, allowed: more documents or a shorter sequence_length"
            )
        self.order = Permutation(self.size, seed)
        self.starts = self._starts()

    def __len__(self) -> int:
        return len(self.starts) - 1

    def batch(self, number: int) -> Batch:
        """Batch `number`: arrays of int64, (rows, length)."""
        ids = np.full((self.rows, self.length), self.pad, dtype=np.int64)
        labels = np.full_like(ids, IGNORED)
        positions = np.zeros_like(ids) if self.packing == "document" else None
        filled = np.zeros(self.rows, dtype=np.int64)
        units = self._units(np.arange(self.starts[number], self.starts[number + 1]))
        for place, (source, unit) in enumerate(units):
            tokens = self._tokens(source, unit)
            row = place if positions is None else best_fit(self.length - filled, len(tokens))
            taken = slice(filled[row], filled[row] + len(tokens))
            ids[row, taken] = labels[row, taken] = tokens
            if positions is not None:
                positions[row, taken] = np.arange(len(tokens))
                labels[row, taken.start] = IGNORED  # nothing before it to predict it from
            filled[row] += len(tokens)
        return Batch(ids, labels, positions)

    def _units(self, places: np.ndarray) -> list[tuple[int, int]]:
        """(source, number of its row or document) at places of the global order."""
        chosen = self.order(places)
        sources = np.searchsorted(self.ends, chosen, side="right")
        begins = np.concatenate([[0], self.ends])[sources]
        return [(int(s), int(u) % self.units[s]) for s, u in zip(sources, chosen - begins, strict=True)]

    def _tokens(self, source: int, unit: int) -> np.ndarray:
        corpus = self.corpora[source]
        if self.packing == "concatenate":
            return corpus.tokens[unit * self.length : (unit + 1) * self.length]
        return corpus.document(unit)

    def _starts(self) -> np.ndarray:
        """Place in the global order where each batch begins, and where the last one ends."""
        if self.packing == "concatenate":
            whole = max(self.size // self.rows, 1)
            return np.minimum(np.arange(whole + 1) * self.rows, self.size)
        lengths = [corpus.lengths() for corpus in self.corpora]
        longest = max(int(lengths_.max(initial=0)) for lengths_ in lengths)
        if longest > self.length:
            raise UserError(
                f"pretraining.sequence_length: found {self.length}, allowed with packing document: "
                f"at least {longest}, the longest document of the mixture"
            )
        starts, room = [0], np.full(self.rows, self.length)
        for place, (source, unit) in enumerate(self._units(np.arange(self.size))):
            tokens = lengths[source][unit]
            row = best_fit(room, tokens)
            if row is None:
                starts.append(place)
                room[:] = self.length
                row = 0
            room[row] -= tokens
        return np.array([*starts, self.size])


def best_fit(room: np.ndarray, tokens: int) -> int | None:
    """The row with the least room that still holds `tokens`, the first of equals; None if there is none."""
    fits = room >= tokens
    if not fits.any():
        return None
    return int(np.where(fits, room, np.iinfo(room.dtype).max).argmin())
