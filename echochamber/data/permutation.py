"""A seeded random order of any number of things that needs no memory.

A Feistel network turns an index into another one; an index that falls outside is turned again until it falls inside
("cycle walking", Black and Rogaway 2002). So the place of every row of a corpus of any size is a formula, and where a
training run stands is one integer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROUNDS = 6


class Permutation:
    """A bijection of 0 .. size - 1 onto itself, chosen by `seed`."""

    def __init__(self, size: int, seed: int) -> None:
        if size < 1:
            raise ValueError(f"size: found {size}, allowed: at least 1")
        self.size = size
        self.half_bits = max(1, (max(size - 1, 1).bit_length() + 1) // 2)
        self.keys = np.random.default_rng(seed).integers(0, 2**63, ROUNDS, dtype=np.uint64)

    def __call__(self, index: np.ndarray) -> np.ndarray:
        """Where each index goes: int64, of the shape of `index`."""
        values = np.array(index, dtype=np.uint64, ndmin=1)
        if values.size and values.max() >= self.size:
            raise IndexError(f"index: found {values.max()}, allowed: below {self.size}")
        outside = np.ones(values.shape, dtype=bool)
        while outside.any():
            values[outside] = self._turn(values[outside])
            outside = values >= self.size
        return values.astype(np.int64).reshape(np.shape(index))

    def _turn(self, values: NDArray[np.uint64]) -> NDArray[np.uint64]:
        mask = np.uint64((1 << self.half_bits) - 1)
        shift = np.uint64(self.half_bits)
        left, right = values >> shift, values & mask
        for key in self.keys:
            left, right = right, left ^ (_mix(right ^ key) & mask)
        return left << shift | right


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of splitmix64 (Steele et al. 2014): every input bit moves every output bit."""
    values = (values ^ values >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ values >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return values ^ values >> np.uint64(31)
