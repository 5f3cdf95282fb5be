"""Forward passes over prompts and their completions: the one way for the sampler, the trainer and the critic.

Different from `model(input_ids)`: a prompt is encoded once and its keys and values are shared by all its completions,
and logits are made only for the positions that need them, never for the prompt. Prompts are padded on the left, so that
completions start in one column; every token has the position that it would have alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property, partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import Cache

from echochamber.errors import UserError
from echochamber.models.logprobs import token_logprobs
from echochamber.models.packed import WIDEST_HEAD, PackedLayers, layers_of, pack

# Architectures with nothing but causal attention between all positions: for them the mask is made here, in the form
# that attention takes. For others (sliding windows, ALiBi) transformers makes it from the padding mask in every pass.
FULL_ATTENTION = ("olmo", "olmo2", "llama", "gpt_neox", "qwen2", "qwen3")
LOGITS_AT_ONCE = 2**26  # logits kept for the backward pass; more are made again in it, chunk by chunk


class LanguageModel:
    """Any causal language model of `transformers`, split into the states of its last layer and their logits."""

    def __init__(self, model: PreTrainedModel, *, recompute: bool = False, compile: bool = False) -> None:
        """
        Args:
            recompute: gradient checkpointing in passes over completions.
            compile: the layers, where they are computed without padding (`packs`): pays in long runs on a GPU.

        Raises UserError where there is no gradient checkpointing.
        """
        self.model = model
        self.recompute = recompute
        self.compile = compile
        if recompute and not layers_of(model):
            raise UserError(
                f"gradient_checkpointing: found true with a base model of type {model.config.model_type}, which "
                "transformers cannot checkpoint layer by layer, allowed: false"
            )
        self.config = model.config
        self.full_attention = (
            model.config.model_type in FULL_ATTENTION
            and not getattr(model.config, "sliding_window", None)
            and model.config._attn_implementation in ("sdpa", "eager")
        )
        self.head = model.get_output_embeddings()
        self.plain_head = self._head_is_plain()
        self.decoding: Any = None
        """What the sampler keeps from one call to the next (`sampling.fixed_shapes`)."""

    @property
    def packs(self) -> bool:
        """Whether completions are computed without padding: in bf16 on a GPU, the numbers that FlashAttention takes."""
        config = self.config
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        return (
            self.device.type == "cuda"
            and torch.is_autocast_enabled("cuda")
            and self.full_attention
            and self.plain_head
            and bool(layers_of(self.model))
            and width % 8 == 0
            and width <= WIDEST_HEAD
        )

    @cached_property
    def packed_layers(self) -> PackedLayers:
        return PackedLayers(self.model, compile=self.compile, recompute=self.recompute)

    @property
    def device(self) -> torch.device:
        return self.model.device

    @torch.no_grad()
    def _head_is_plain(self) -> bool:
        """Whether logits are the output matrix times the last states (some architectures scale or cap them)."""
        ids = torch.arange(min(4, self.config.vocab_size), device=self.device)[None]
        logits = self.model(input_ids=ids, use_cache=False).logits
        states = self.model.base_model(input_ids=ids, use_cache=False).last_hidden_state
        return self.head is not None and torch.equal(self.head(states), logits)

    def states(self, ids: Tensor, mask: Tensor | None, positions: Tensor, cache: Cache | None) -> Tensor:
        """What `logits` takes, for each of `ids`: (rows, tokens, width). Appends to `cache`."""
        arguments = {"input_ids": ids, "attention_mask": mask, "position_ids": positions}
        arguments |= {"past_key_values": cache, "use_cache": cache is not None}
        if self.plain_head:
            return self.model.base_model(**arguments).last_hidden_state
        return self.model(**arguments).logits

    def logits(self, states: Tensor, temperature: float = 1.0) -> Tensor:
        """Divided by the temperature: (..., vocabulary), float32."""
        if self.plain_head and self.head.bias is None:
            return self.head(states if temperature == 1 else states / temperature).float()  # fewer states than logits
        return (self.head(states) if self.plain_head else states).float() / temperature

    def attention_mask(self, key_mask: Tensor, queries: int) -> Tensor | None:
        """The mask for the last `queries` of the positions of `key_mask` (rows, keys; True where there is a token)."""
        if not self.full_attention:
            return key_mask.long()
        keys = key_mask.shape[1]
        if bool(key_mask.all()) and queries in (1, keys):
            return None
        positions = torch.arange(keys, device=key_mask.device)
        seen = positions[None, :] <= positions[keys - queries :, None]
        itself = positions[None, :] == positions[keys - queries :, None]  # so that no row of padding is without any key
        allowed = (seen & key_mask[:, None, :]) | itself
        zero = torch.zeros((), device=key_mask.device)
        return torch.where(allowed, zero, torch.finfo(torch.float32).min)[:, None]

    def encode_prompts(self, prompts: Sequence[Sequence[int]], pad: int, cache: Cache) -> tuple[Tensor, Tensor]:
        """Fill `cache` with the prompts, padded on the left.

        Returns:
            the states of each prompt's last token (prompts, width), and the padding mask (prompts, tokens).
        """
        ids, mask = pad_left(prompts, pad, self.device)
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        return self.states(ids, self.attention_mask(mask, ids.shape[1]), positions, cache)[:, -1], mask


@contextmanager
def _layers_recomputed(model: torch.nn.Module) -> Iterator[None]:
    """Let each layer keep its input alone and make the rest again in the backward pass.

    `transformers` does so in training mode only, where dropout and dropped layers of many architectures (OPT, BLOOM,
    Falcon) are on: here the model stays in evaluation mode, and nothing in it is drawn.
    """
    layers = layers_of(model)
    for layer in layers:  # on the instance, and for this pass alone: a copy of the model keeps its own forward
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False, preserve_rng_state=False)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def pad_left(rows: Sequence[Sequence[int]], pad: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids (rows, longest) and a mask that is True on tokens."""
    longest = max(map(len, rows))
    ids = torch.tensor([[pad] * (longest - len(row)) + list(row) for row in rows], device=device)
    lengths = torch.tensor([len(row) for row in rows], device=device)
    return ids, torch.arange(longest, device=device) >= longest - lengths[:, None]


def pad_right(rows: Sequence[Sequence[int]], pad: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids (rows, longest) and a mask that is True on tokens."""
    longest = max(map(len, rows))
    ids = torch.tensor([list(row) + [pad] * (longest - len(row)) for row in rows], device=device)
    lengths = torch.tensor([len(row) for row in rows], device=device)
    return ids, torch.arange(longest, device=device) < lengths[:, None]


def completion_states(
    model: LanguageModel, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]], pad: int
) -> tuple[Tensor, Tensor, Tensor]:
    """States from which each completion token is predicted.

    Args:
        prompts, completions: one each a row; equal prompts are encoded once.

    Returns:
        states (tokens in all, width), row after row without padding; the padded ids (rows, tokens) and their mask.
    """
    if model.packs:
        packing = pack(prompts, completions, model.device)
        ids = torch.full(packing.mask.shape, pad, device=model.device).masked_scatter(packing.mask, packing.targets)
        return model.packed_layers.states(packing), ids, packing.mask
    distinct = {tuple(prompt): None for prompt in prompts}
    prompt_index = {prompt: number for number, prompt in enumerate(distinct)}
    owner = torch.tensor([prompt_index[tuple(prompt)] for prompt in prompts], device=model.device)
    ids, mask = pad_right(completions, pad, model.device)
    if model.recompute:
        return _recomputed_states(model, prompts, ids, mask, pad)[mask], ids, mask
    cache = DynamicCache(config=model.config)
    first, prompt_mask = model.encode_prompts(list(distinct), pad, cache)
    states = first[owner][:, None]
    if ids.shape[1] > 1:
        for layer in cache.layers:
            layer.keys, layer.values = layer.keys.index_select(0, owner), layer.values.index_select(0, owner)
        keys = torch.cat([prompt_mask[owner], mask[:, :-1]], 1)
        positions = prompt_mask.sum(1)[owner][:, None] + torch.arange(ids.shape[1] - 1, device=model.device)
        inside = model.states(ids[:, :-1], model.attention_mask(keys, ids.shape[1] - 1), positions, cache)
        states = torch.cat([states, inside], 1)
    return states[mask], ids, mask


def _recomputed_states(
    model: LanguageModel, prompts: Sequence[Sequence[int]], ids: Tensor, mask: Tensor, pad: int
) -> Tensor:
    """The same with gradient checkpointing, which allows no cache: prompt and completion in one row."""
    prompt_ids, prompt_mask = pad_left(prompts, pad, model.device)
    keys = torch.cat([prompt_mask, mask[:, :-1]], 1)
    everything = torch.cat([prompt_ids, ids[:, :-1]], 1)
    positions = (keys.cumsum(1) - 1).clamp(min=0)
    with _layers_recomputed(model.model) if torch.is_grad_enabled() else nullcontext():
        states = model.states(everything, model.attention_mask(keys, keys.shape[1]), positions, None)
    return states[:, prompt_ids.shape[1] - 1 :]


def completion_logprobs(
    model: LanguageModel,
    prompts: Sequence[Sequence[int]],
    completions: Sequence[Sequence[int]],
    *,
    pad: int,
    temperature: float,
) -> tuple[Tensor, Tensor]:
    """Log-probabilities, in nats, of each completion token at the sampling temperature.

    Returns:
        logprobs (rows, tokens), 0 on padding, and the mask (rows, tokens) that is True on tokens.
    """
    if model.packs and model.head.bias is None:
        packing = pack(prompts, completions, model.device)
        states, mask = model.packed_layers.states(packing), packing.mask
        flat = token_logprobs(states, model.head.weight, packing.targets, temperature, compile=model.compile)
    else:
        states, ids, mask = completion_states(model, prompts, completions, pad)
        flat = _logprobs_of(model, states, ids[mask], temperature)
    return torch.zeros(mask.shape, device=model.device).masked_scatter(mask, flat), mask


def _logprobs_of(model: LanguageModel, states: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """(tokens,): whatever the model makes of its states, in fp32."""

    def logprobs(states: Tensor, targets: Tensor) -> Tensor:
        return -F.cross_entropy(model.logits(states, temperature), targets, reduction="none")

    size = max(1, LOGITS_AT_ONCE // model.config.vocab_size)
    if len(targets) <= size:
        return logprobs(states, targets)
    parts = zip(states.split(size), targets.split(size), strict=True)
    if not torch.is_grad_enabled():
        return torch.cat([logprobs(s, t) for s, t in parts])
    return torch.cat([checkpoint(logprobs, s, t, use_reentrant=False) for s, t in parts])
