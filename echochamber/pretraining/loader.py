"""Batches as tensors, made ahead of the training loop in a thread, and the held-out documents."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from echochamber.data.mixture import IGNORED, Batch
from echochamber.data.shards import Corpus

T = TypeVar("T")


class Rows(NamedTuple):
    """Rows of one forward pass: int64, (rows, length)."""

    ids: Tensor
    labels: Tensor
    """The token that follows each of `ids`, -100 where there is no loss."""
    positions: Tensor | None
    """Place of each token in its document; None where a row is one text from end to end."""

    @classmethod
    def of(cls, batch: Batch) -> Rows:
        positions = None if batch.positions is None else torch.from_numpy(batch.positions[:, :-1])
        return cls(torch.from_numpy(batch.ids[:, :-1]), torch.from_numpy(batch.labels[:, 1:]), positions)

    def each(self, change: Callable[[Tensor], Tensor]) -> Rows:
        return Rows(*(None if tensor is None else change(tensor) for tensor in self))

    def to(self, device: torch.device) -> Rows:
        return self.each(lambda tensor: tensor.to(device, non_blocking=True))

    def split(self, rows: int) -> list[Rows]:
        """In parts of so many rows."""
        return [self.each(lambda t, begin=begin: t[begin : begin + rows]) for begin in range(0, len(self.ids), rows)]

    def tokens(self) -> int:
        """Those that give a loss."""
        return int((self.labels != IGNORED).sum())


def ahead(make: Callable[[int], T], numbers: Iterable[int], count: int = 2) -> Iterator[T]:
    """`make(number)` for each of `numbers`, in order; a thread makes the next `count` while one is used."""
    with ThreadPoolExecutor(1) as pool:
        waiting: deque = deque()
        for number in numbers:
            waiting.append(pool.submit(make, number))
            if len(waiting) > count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def held_out(mixture: dict, *, length: int, rows: int, pad: int) -> dict[str, list[Rows]]:
    """Per source, its held-out documents, each in a row of its own, cut at `length` tokens."""
    batches_by_source = {}
    for name, source in mixture["sources"].items():
        corpus = Corpus(Path(source["corpus"]), "held_out")
        documents = [corpus.document(i)[:length] for i in range(len(corpus))]
        batches = []
        for begin in range(0, len(documents), rows):
            chosen = documents[begin : begin + rows]
            ids = np.full((len(chosen), max(map(len, chosen))), pad, dtype=np.int64)
            labels = np.full_like(ids, IGNORED)
            for row, tokens in enumerate(chosen):
                ids[row, : len(tokens)] = labels[row, : len(tokens)] = tokens
            batches.append(Rows.of(Batch(ids, labels, None)))
        if batches:
            batches_by_source[name] = batches
    return batches_by_source
