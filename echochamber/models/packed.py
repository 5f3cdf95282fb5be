"""Passes over prompts and completions laid end to end, without padding: what a GPU is busy with.

Differs from the padded pass of `models.forward` in form, not in value. All tokens of a micro-batch are one row; each
sequence attends to itself alone (FlashAttention's lengths, Dao 2023), so that neither a mask nor a padded position is
computed. A prompt stands before each of its completions: for prompts that are shorter than completions this costs less
than what padding does. Layers are compiled where asked, since a layer kernel by kernel is bound by the memory that its
element-wise operations move.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import AttentionInterface, PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

ATTENTION = "packed"
WIDEST_HEAD = 256
"""Of FlashAttention, whose heads are also multiples of 8 wide."""

MOST_TOKENS = 2**16
"""In one pass: more keep no GPU busier."""
WORTH_COMPILING = 1e16
"""FLOPs: a minute or two of a large GPU, where compiling takes a fifth of one."""


@dataclass(frozen=True)
class Packing:
    """Sequences end to end; all tensors on the model's device."""

    ids: Tensor
    """(1, tokens)"""
    positions: Tensor
    """(1, tokens), of each token in its sequence."""
    bounds: Tensor
    """(sequences + 1,), int32: where each sequence begins, and the end."""
    longest: int
    """A bound on a sequence's length, in tokens: a power of two, so that few values are compiled for."""
    predicting: Tensor
    """The numbers of the tokens from which a completion token is predicted, completion after completion."""
    targets: Tensor
    """Those completion tokens."""
    mask: Tensor
    """(sequences, longest completion), True where there is one."""


def pack(prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]], device: torch.device) -> Packing:
    """Each prompt with its completion, which is left without its last token: nothing is predicted from it.

    Fast where the sequences are arrays: the device waits for the host that packs.
    """
    prompts, completions = ([np.asarray(row, np.int64) for row in rows] for rows in (prompts, completions))
    before = np.array([len(prompt) - 1 for prompt in prompts])
    counts = np.array([len(completion) for completion in completions])
    lengths = before + counts
    bounds = np.concatenate([[0], lengths.cumsum()])
    tokens = np.concatenate([part for p, c in zip(prompts, completions, strict=True) for part in (p, c[:-1])])
    positions = np.arange(len(tokens)) - bounds[:-1].repeat(lengths)
    within = np.arange(counts.sum()) - (counts.cumsum() - counts).repeat(counts)
    predicting = (bounds[:-1] + before).repeat(counts) + within
    mask = np.arange(counts.max()) < counts[:, None]
    arrays = tokens[None], positions[None], bounds.astype(np.int32), predicting, np.concatenate(completions), mask
    ids, positions, bounds, predicting, targets, mask = (torch.from_numpy(array).to(device) for array in arrays)
    return Packing(ids, positions, bounds, 1 << (int(lengths.max()) - 1).bit_length(), predicting, targets, mask)


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float,
    bounds: Tensor,
    longest: int,
    **_: Any,
) -> tuple[Tensor, None]:
    """Causal attention within each sequence, in the form that `transformers` asks of its attention functions.

    Args:
        query, key, value: (1, heads, tokens, width); keys and values may have fewer heads.

    Returns:
        (1, tokens, heads, width), and no weights.
    """
    if query.is_cuda:
        heads = query.shape[1] // key.shape[1]  # some architectures leave turned queries and keys in float32
        q, k, v = (states[0].transpose(0, 1).to(value.dtype) for states in (query, key, value))
        if heads > 1:
            k, v = (states.repeat_interleave(heads, 1) for states in (k, v))
        attended = torch.ops.aten._flash_attention_forward(
            q, k, v, bounds, bounds, longest, longest, 0.0, True, False, scale=scaling
        )[0]
        return attended[None], None
    sequence = torch.bucketize(torch.arange(query.shape[2], device=query.device), bounds[1:], right=True)
    own = (sequence[:, None] == sequence[None, :]).tril()
    attended = F.scaled_dot_product_attention(
        query, key, value, attn_mask=own, scale=scaling, enable_gqa=query.shape[1] != key.shape[1]
    )
    return attended.transpose(1, 2), None


AttentionInterface.register(ATTENTION, attention)


def layers_of(model: nn.Module) -> list[GradientCheckpointingLayer]:
    """The layers that are computed one after the other, each from the output of the one before."""
    return [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]


def worth_compiling(model: PreTrainedModel, tokens: float) -> bool:
    """Whether `tokens` that are sampled and learnt from pay for compiling the model's layers."""
    return 6.0 * sum(weight.numel() for weight in model.parameters()) * tokens >= WORTH_COMPILING


def tokens_at_once(config: Any, free: int) -> int:
    """Tokens whose activations, kept for the backward pass in bf16, take half of `free` bytes.

    Of a layer: about 16 numbers as wide as the model and 5 as wide as its feed-forward layer. (The logits do not count:
    they are made again, a few at a time.)
    """
    wide = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    return max(1, min(MOST_TOKENS, free // (4 * config.num_hidden_layers * (16 * config.hidden_size + 5 * wide))))


def balanced(rows: Sequence[int], tokens: Sequence[int], limit: int) -> list[list[int]]:
    """As few parts of `rows` as keep to about `limit` tokens each, of about equal sizes (longest row first).

    Args:
        tokens: of every row, by its number.
    """
    if not rows:
        return []
    parts: list[list[int]] = [[] for _ in range(-(-sum(tokens[row] for row in rows) // limit))]
    lightest = [(0, number) for number in range(len(parts))]
    for row in sorted(rows, key=lambda row: -tokens[row]):
        load, number = heapq.heappop(lightest)
        parts[number].append(row)
        heapq.heappush(lightest, (load + tokens[row], number))
    return [part for part in parts if part]


class PackedLayers:
    """A model's layers in the form that a packed pass takes."""

    def __init__(self, model: PreTrainedModel, *, compile: bool, recompute: bool) -> None:
        self.model = model
        self.layers = layers_of(model)
        self.forwards = [self._forward(layer, compile, recompute) for layer in self.layers]

    def _forward(self, layer: nn.Module, compile: bool, recompute: bool) -> Callable[..., Any]:
        plain: Callable[..., Any] = torch.compile(layer.forward, dynamic=True) if compile else layer.forward

        def forward(*args: Any, **kwargs: Any) -> Any:
            with self._attention():  # in the backward pass too, where a layer that is recomputed runs again
                return plain(*args, **kwargs)

        if not recompute:
            return forward
        again = partial(checkpoint, forward, use_reentrant=False, preserve_rng_state=False)
        return lambda *args, **kwargs: (again if torch.is_grad_enabled() else forward)(*args, **kwargs)

    def states(self, packing: Packing) -> Tensor:
        """States of the last layer from which the completion tokens are predicted, (tokens, width)."""
        with self._in_place(), self._attention():
            states: Tensor = self.model.base_model(
                input_ids=packing.ids,
                position_ids=packing.positions,
                use_cache=False,
                bounds=packing.bounds,
                longest=packing.longest,
            ).last_hidden_state
        return states[0].index_select(0, packing.predicting)

    @contextmanager
    def _attention(self) -> Iterator[None]:
        config = self.model.config
        usual, config._attn_implementation = config._attn_implementation, ATTENTION
        try:
            yield
        finally:
            config._attn_implementation = usual

    @contextmanager
    def _in_place(self) -> Iterator[None]:
        """For this pass alone: all others, the sampler's among them, take the layers as they are."""
        for layer, forward in zip(self.layers, self.forwards, strict=True):
            layer.forward = forward
        try:
            yield
        finally:
            for layer in self.layers:
                del layer.forward
