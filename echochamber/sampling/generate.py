"""Sampling and greedy decoding with a key-value cache, and the sampler's own log-probabilities.

Different from `transformers`' generate: a prompt is encoded once for all its samples, rows that hit the end token leave
the batch, logits are made for the last position only, and every draw comes from the generator that is passed in: the
same generator state gives the same completions. (No row takes the place of one that left: batches run to their end.)

A batch is decoded here where shapes may change in every step, as on a CPU, and by `sampling.fixed_shapes` where the
device can record a step and play it back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from echochamber.models.forward import LanguageModel
from echochamber.models.olmo_decoder import OlmoDecoder, applies_to
from echochamber.sampling.draw import draw, uniforms
from echochamber.sampling.fixed_shapes import FixedShapes
from echochamber.settings import Sampling

MOST_ROWS = 1024
CACHE_BYTES = 2**29
STEPS_BETWEEN_LOOKS = 8
"""On a GPU: how often the host asks how many rows are alive, which makes it wait for the device."""


@dataclass
class Completions:
    """Completions of `prompts`, those of one prompt side by side: number p * samples + s is sample s of prompt p."""

    prompts: list[list[int]]
    completions: list[list[int]]
    """Token ids, the end token included where it was reached."""
    logprobs: list[np.ndarray]
    """Of each completion token, in nats, at the sampling temperature and before top_p: float32, (tokens,)."""
    entropy: list[float]
    """Of the distributions that the tokens were drawn from, before top_p, summed over the completion, in nats."""
    finished: list[bool]
    """Whether the end token was reached within max_new_tokens."""


@torch.no_grad()
def generate(
    model: PreTrainedModel | LanguageModel,
    prompts: list[list[int]],
    *,
    samples: int,
    sampling: Sampling,
    greedy: bool = False,
    eos: int,
    pad: int,
    generator: torch.Generator,
    max_rows: int | None = None,
    fixed_shapes: bool | None = None,
) -> Completions:
    """`samples` completions of every prompt.

    Args:
        prompts: token ids, at least one each.
        greedy: the most likely token each time; temperature and top_p then bear on the reported numbers only.
        generator: on the CPU; all randomness comes from it.
        max_rows: completions decoded at once (default: as many as memory allows, see `rows_at_once`). Another value
            draws other samples.
        fixed_shapes: decode in steps that a GPU can record (default: on a GPU, where the architecture allows it).
            Rows leave the batch at other times, so that it draws other samples.
    """
    if any(len(prompt) == 0 for prompt in prompts):
        raise ValueError("prompts: found an empty one, allowed: at least one token each")
    model = model if isinstance(model, LanguageModel) else LanguageModel(model)
    if fixed_shapes and not model.full_attention:
        raise ValueError(f"fixed_shapes: found True with {model.config.model_type}, allowed: full attention")
    was_training = model.model.training
    model.model.eval()
    longest = max(map(len, prompts)) + sampling.max_new_tokens
    fast = model.full_attention and model.plain_head and applies_to(model.model)
    decoder = OlmoDecoder(model.model, longest) if fast else None
    by_length = sorted(range(len(prompts)), key=lambda number: len(prompts[number]))
    waiting = [(number, number * samples + sample) for number in by_length for sample in range(samples)]
    record = _Record(len(waiting), sampling.max_new_tokens, model.device)
    max_rows = min(max_rows or rows_at_once(model, longest), len(waiting))
    generator = None if greedy else generator
    fixed = None
    if fixed_shapes is None:
        fixed_shapes = model.device.type == "cuda" and model.full_attention
    if fixed_shapes:
        step = decoder.states if decoder else None
        fixed = FixedShapes(model, step, record, sampling, eos, generator, max_rows, longest, STEPS_BETWEEN_LOOKS)
    while waiting:
        chosen, waiting = waiting[:max_rows], waiting[max_rows:]
        batch = _encode(model, prompts, chosen, pad)
        if fixed:
            fixed.decode(*batch)
        else:
            _decode(model, decoder, *batch, sampling, eos, generator, record)
    model.model.train(was_training)
    return record.completions(prompts, eos)


def rows_at_once(model: LanguageModel, tokens: int) -> int:
    """How many completions, each with its prompt up to `tokens` long, have a cache that fits into memory.

    On the CPU a fixed amount, so that the same seed draws the same samples on every machine; on a GPU half of what is
    free.
    """
    config = model.config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    size = 2 if model.device.type == "cuda" and torch.is_autocast_enabled("cuda") else 4  # bytes a number
    row = 2 * config.num_hidden_layers * heads * width * tokens * size
    free = torch.cuda.mem_get_info(model.device)[0] // 2 if model.device.type == "cuda" else CACHE_BYTES
    return max(1, min(MOST_ROWS, free // row))


class _Record:
    """What was drawn, (tokens, completions); what stands below an end token means nothing."""

    def __init__(self, completions: int, tokens: int, device: torch.device) -> None:
        self.tokens = torch.zeros(tokens, completions, dtype=torch.long, device=device)
        self.logprobs = torch.zeros(tokens, completions, device=device)
        self.entropy = torch.zeros(tokens, completions, device=device)

    def add(self, step: int | Tensor, slots: Tensor, tokens: Tensor, logprobs: Tensor, entropy: Tensor) -> None:
        self.tokens[step, slots] = tokens
        self.logprobs[step, slots] = logprobs
        self.entropy[step, slots] = entropy

    def completions(self, prompts: list[list[int]], eos: int) -> Completions:
        ended = self.tokens == eos
        after = (ended.cumsum(0) - ended.long()) > 0
        lengths = (~after).sum(0).tolist()
        entropy = torch.where(after, 0.0, self.entropy).sum(0)
        tokens = [row[:n] for row, n in zip(self.tokens.T.tolist(), lengths, strict=True)]
        logprobs = self.logprobs.T.cpu().numpy()
        return Completions(
            prompts=prompts,
            completions=tokens,
            logprobs=[logprobs[i, :n].copy() for i, n in enumerate(lengths)],
            entropy=entropy.tolist(),
            finished=[row[-1] == eos for row in tokens],
        )


def _encode(model, prompts, batch, pad) -> tuple[Tensor, Tensor, Cache, Tensor, Tensor]:
    """Encode the prompts of `batch`, a list of (number of the prompt, slot in the record), each once.

    Returns:
        of each prompt, the states of its last token, its padding mask, its keys and values; of each row, the number of
        its prompt among these, and its slot in the record.
    """
    distinct = list(dict.fromkeys(number for number, _ in batch))
    row_of = {number: row for row, number in enumerate(distinct)}
    owner = torch.tensor([row_of[number] for number, _ in batch], device=model.device)
    slots = torch.tensor([slot for _, slot in batch], device=model.device)
    cache = _cache(model)
    states, prompt_mask = model.encode_prompts([prompts[number] for number in distinct], pad, cache)
    return states, prompt_mask, cache, owner, slots


def _decode(model, decoder, states, prompt_mask, cache, owner, slots, sampling, eos, generator, record) -> None:
    """Decode a batch to its end; greedily without a generator."""
    states, prompt_mask = states[owner], prompt_mask[owner]
    cache.batch_select_indices(owner)
    positions = prompt_mask.sum(1)
    mask = _DecodingMask(model, prompt_mask, sampling.max_new_tokens)
    alive = torch.ones(len(slots), dtype=torch.bool, device=model.device)
    look = 1 if model.device.type == "cpu" else STEPS_BETWEEN_LOOKS
    wasted = 0
    for step in range(sampling.max_new_tokens):
        if generator and step % look == 0:
            uniform = uniforms(look, len(slots), generator, model.device)
        logits = model.logits(states, sampling.temperature)
        numbers = uniform[step % look] if generator else None
        tokens, logprobs, entropy = draw(logits, top_p=sampling.top_p, uniform=numbers)
        record.add(step, slots, tokens, logprobs, entropy)
        alive = alive & (tokens != eos)
        if step + 1 == sampling.max_new_tokens:
            return
        if step % look == look - 1:  # a look at the device makes it wait
            living = int(alive.sum())
            if not living:
                return
            wasted += len(slots) - living
            if 2 * wasted > living:  # by now dead rows have cost what it costs to copy the cache of the others
                keep = alive.nonzero()[:, 0]
                cache.batch_select_indices(keep)
                mask.select(keep)
                tokens, slots, positions, alive = tokens[keep], slots[keep], positions[keep], alive[keep]
                wasted = 0
        step_mask = mask(step + 1)
        if decoder:
            states = decoder.states(tokens, positions, step_mask, cache)
        else:
            states = model.states(tokens[:, None], step_mask, positions[:, None], cache)[:, -1]
        positions = positions + 1


class _DecodingMask:
    """What attention may look at: everything but the padding of the prompts."""

    def __init__(self, model: LanguageModel, prompt_mask: Tensor, tokens: int) -> None:
        self.prompt = prompt_mask.shape[1]
        self.mask = F.pad(prompt_mask, (0, tokens), value=True)
        self.additive = model.full_attention
        self.none = self.additive and bool(prompt_mask.all())
        if self.additive:
            self.mask = torch.zeros(self.mask.shape, device=model.device).masked_fill(
                ~self.mask, torch.finfo(torch.float32).min
            )[:, None, None]

    def __call__(self, drawn: int) -> Tensor | None:
        """The mask for a row's newest token, of `drawn` so far."""
        if self.none:
            return None
        mask = self.mask[..., : self.prompt + drawn]
        return mask if self.additive else mask.long()

    def select(self, rows: Tensor) -> None:
        self.mask = self.mask.index_select(0, rows)


def _cache(model: LanguageModel) -> Cache:
    if not model.full_attention:
        return DynamicCache(config=model.config)
    return Cache(layers=[_Layer() for _ in range(model.config.num_hidden_layers)])


class _Layer(DynamicLayer):
    """Keys and values of one layer in a buffer with room to spare: a step writes one column and copies nothing."""

    ROOM = 64

    def update(self, key_states: Tensor, value_states: Tensor, *args, **kwargs) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states[:, :, :0], value_states[:, :, :0]
            self.buffers = self._roomy(self.keys), self._roomy(self.values)
        start, end = self.keys.shape[-2], self.keys.shape[-2] + key_states.shape[-2]
        if end > self.buffers[0].shape[-2]:
            self.buffers = self._roomy(self.keys, end - start), self._roomy(self.values, end - start)
        for buffer, new in zip(self.buffers, (key_states, value_states), strict=True):
            buffer[:, :, start:end] = new
        self.keys, self.values = (buffer[:, :, :end] for buffer in self.buffers)
        return self.keys, self.values

    def batch_select_indices(self, indices: Tensor) -> None:
        self.buffers = tuple(buffer.index_select(0, indices) for buffer in self.buffers)
        end = self.keys.shape[-2]
        self.keys, self.values = (buffer[:, :, :end] for buffer in self.buffers)

    def _roomy(self, states: Tensor, more: int = 0) -> Tensor:
        rows, heads, tokens, width = states.shape
        buffer = states.new_empty(rows, heads, tokens + max(more, self.ROOM), width)
        buffer[:, :, :tokens] = states
        return buffer
