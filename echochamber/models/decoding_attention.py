"""Attention of one new token a row to as much of each row as there is, for a GPU: a Triton kernel.

`scaled_dot_product_attention` reads every row up to the longest one's end, with a mask; FlashAttention computes 128
queries where there is one. Decoding is bound by reading keys and values: here each is read once, and nothing else is.
Triton comes with PyTorch for CUDA.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import torch
from torch import Tensor

if importlib.util.find_spec("triton"):
    import triton
    import triton.language as tl

    @triton.jit
    def _attend(  # type: ignore[no-untyped-def]
        query, keys, values, lengths, out, query_stride, row_stride, scale,
        HEADS: tl.constexpr, SHARING: tl.constexpr, WIDTH: tl.constexpr, TOKENS: tl.constexpr,
    ):  # fmt: skip
        """One head of one row; `SHARING`: how many heads share keys and values."""
        row, head = tl.program_id(0), tl.program_id(1)
        length = tl.load(lengths + row) + 1
        across = tl.arange(0, WIDTH)
        token_stride = HEADS // SHARING * WIDTH
        begin = row.to(tl.int64) * row_stride + head // SHARING * WIDTH
        asked = tl.load(query + row * query_stride + head * WIDTH + across).to(tl.float32) * scale
        highest, total = -float("inf"), 0.0
        seen = tl.zeros([WIDTH], tl.float32)
        for first in range(0, length, TOKENS):
            token = first + tl.arange(0, TOKENS)
            inside = token < length
            at = begin + token[:, None] * token_stride + across[None, :]
            key = tl.load(keys + at, mask=inside[:, None], other=0.0).to(tl.float32)
            value = tl.load(values + at, mask=inside[:, None], other=0.0).to(tl.float32)
            score = tl.where(inside, tl.sum(key * asked[None, :], 1), -float("inf"))
            top = tl.maximum(highest, tl.max(score, 0))
            weight, before = tl.exp(score - top), tl.exp(highest - top)
            total = total * before + tl.sum(weight, 0)
            seen = seen * before + tl.sum(weight[:, None] * value, 0)
            highest = top
        tl.store(out + (row * HEADS + head) * WIDTH + across, (seen / total).to(out.dtype.element_ty))


def available(device: torch.device, width: int) -> bool:
    """Whether heads of this width can be computed on the device."""
    return device.type == "cuda" and importlib.util.find_spec("triton") is not None and width & (width - 1) == 0


def decoding_attention(query: Tensor, keys: Tensor, values: Tensor, lengths: Tensor) -> Tensor:
    """What the newest token of each row sees, (rows, heads, width).

    Args:
        query: (rows, heads, width), each row's heads side by side.
        keys, values: (rows, tokens, heads that keys have, width), contiguous.
        lengths: (rows,), of each row without its newest token, whose keys and values stand at that place.
    """
    rows, heads, width = query.shape
    sharing = heads // keys.shape[2]
    out = torch.empty(rows, heads, width, dtype=query.dtype, device=query.device)
    kernel: Any = _attend
    kernel[(rows, heads)](
        query, keys, values, lengths, out, query.stride(0), keys.stride(0), width**-0.5,
        HEADS=heads, SHARING=sharing, WIDTH=width, TOKENS=64, num_warps=2,
    )  # fmt: skip
    return out
