"""Which tokens of documents are solutions: what follows the first empty line. Imports no torch."""

from __future__ import annotations

from typing import Any

import numpy as np

from echochamber.data.mixture import IGNORED, Batch


class SolutionsOnly:
    """Takes the loss from everything but solutions: a document without an empty line gives none.

    The empty line may be one token or two, and the token that it ends with is the question's.
    """

    def __init__(self, tokenizer: Any) -> None:
        texts = [tokenizer.decode([token], clean_up_tokenization_spaces=False) for token in range(len(tokenizer))]
        self.whole = np.array(["\n\n" in text for text in texts])
        self.opens = np.array([text.endswith("\n") for text in texts])
        self.closes = np.array([text.startswith("\n") for text in texts])

    def __call__(self, batch: Batch) -> Batch:
        """The batch with fewer labels; its positions say where documents begin."""
        if batch.positions is None:
            raise ValueError("positions: found none, allowed: those of documents that see nothing of each other")
        ids, positions = batch.ids, batch.positions
        inside = positions[:, 1:] > 0
        blank = self.whole[ids]
        blank[:, 1:] |= self.opens[ids[:, :-1]] & self.closes[ids[:, 1:]] & inside
        before = np.cumsum(blank, axis=1) - blank  # empty lines that end before the token, in its row
        first = np.where(positions == 0, np.arange(ids.shape[1]), 0)
        start = np.maximum.accumulate(first, axis=1)
        in_document = before - np.take_along_axis(before, start, axis=1)
        return batch._replace(labels=np.where(in_document > 0, batch.labels, IGNORED))
