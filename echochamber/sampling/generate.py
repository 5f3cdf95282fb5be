"""Sampling and greedy decoding with a key-value cache, and the sampler's own log-probabilities.

Different from `transformers`' generate: a prompt is encoded once for all its samples, rows that hit the end token leave
the batch, logits are made for the last position only, and every draw comes from the generator that is passed in: the
same generator state gives the same completions. (No row takes the place of one that left: batches run to their end.)

A batch is decoded here where shapes may change in every step, as on a CPU, and by `sampling.fixed_shapes` where the
device can record a step and play it back.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from echochamber.errors import UserError
from echochamber.models import device as devices
from echochamber.models.forward import LanguageModel
from echochamber.models.olmo_decoder import Attend, OlmoDecoder, applies_to
from echochamber.sampling.completions import Completions
from echochamber.sampling.draw import draw, is_end, random_stream, uniforms
from echochamber.sampling.fixed_shapes import Encoded, FixedShapes
from echochamber.sampling.tool import PythonTool
from echochamber.settings import Sampling

MOST_ROWS = 1024
CACHE_BYTES = 2**29
STEPS_BETWEEN_LOOKS = 8
"""On a GPU, where shapes change: how often the host asks how many rows are alive, which makes it wait."""


@torch.no_grad()
def generate(
    model: PreTrainedModel | LanguageModel,
    prompts: list[list[int]],
    *,
    samples: int,
    sampling: Sampling,
    greedy: bool = False,
    eos: int | Sequence[int],
    pad: int,
    generator: torch.Generator,
    max_rows: int | None = None,
    fixed_shapes: bool | None = None,
    tool: PythonTool | None = None,
) -> Completions:
    """`samples` completions of every prompt.

    Args:
        prompts: token ids, at least one each.
        greedy: the most likely token each time; temperature and top_p then bear on the reported numbers only.
        eos: the end token, or several, each of which ends a completion.
        generator: on the CPU; all randomness comes from it.
        max_rows: completions decoded at once (default: as many as memory allows, see `rows_at_once`). Another value
            draws other samples.
        fixed_shapes: decode in steps that a GPU can record (default: on a GPU, where the architecture allows it).
            Rows leave the batch at other times, so that it draws other samples.
        tool: looks at every completion after every token; with one, shapes change on a GPU too.
    """
    if any(len(prompt) == 0 for prompt in prompts):
        raise ValueError("prompts: found an empty one, allowed: at least one token each")
    _refuse_unknown(model, prompts)
    eos = (eos,) if isinstance(eos, int) else tuple(eos)
    model = model if isinstance(model, LanguageModel) else LanguageModel(model)
    if fixed_shapes and tool:
        raise ValueError("fixed_shapes: found True with a tool, allowed: False")
    if fixed_shapes and not model.full_attention:
        raise ValueError(f"fixed_shapes: found True with {model.config.model_type}, allowed: full attention")
    was_training = model.model.training
    model.model.eval()
    longest = max(map(len, prompts)) + sampling.max_new_tokens
    by_length = sorted(range(len(prompts)), key=lambda number: len(prompts[number]))
    waiting = [(number, number * samples + sample) for number in by_length for sample in range(samples)]
    if fixed_shapes is None:
        fixed_shapes = tool is None and model.device.type == "cuda" and model.full_attention
    if fixed_shapes:
        rows = min(max_rows or rows_at_once(model, longest), len(waiting))
        drawn = _in_fixed_shapes(model, prompts, waiting, sampling, greedy, eos, pad, generator, rows, longest)
    else:
        max_rows = min(max_rows or rows_at_once(model, longest), len(waiting))
        fast = model.full_attention and model.plain_head and applies_to(model.model)
        decoder = OlmoDecoder(model.model, longest) if fast else None
        record = _Record(len(waiting), sampling.max_new_tokens, model.device, tool)
        while waiting:
            chosen, waiting = waiting[:max_rows], waiting[max_rows:]
            batch = _encode(model, prompts, [number for number, _ in chosen], pad)
            slots = torch.tensor([slot for _, slot in chosen], device=model.device)
            _decode(model, decoder, batch, slots, sampling, eos, None if greedy else generator, record)
        drawn = record.completions(prompts, eos)
    model.model.train(was_training)
    return drawn


def _refuse_unknown(model: PreTrainedModel | LanguageModel, prompts: list[list[int]]) -> None:
    """Raises UserError for a token without a row of the embeddings: their look-up would end the process, or a GPU."""
    whole = model.model if isinstance(model, LanguageModel) else model
    known, largest = whole.get_input_embeddings().num_embeddings, max(map(max, prompts))
    if largest >= known:
        raise UserError(
            f"prompts: found token {largest}, allowed: up to {known - 1}, since the model's embeddings end there "
            "(its tokenizer has tokens that it does not know)"
        )


def _in_fixed_shapes(model, prompts, waiting, sampling, greedy, eos, pad, generator, rows, longest) -> Completions:
    """Every completion draws from a stream of its own: how many are decoded at once changes none."""
    shapes = FixedShapes.of(model, sampling, eos, greedy, rows, longest)
    number_of = {slot: number for number, slot in waiting}
    seed = int(torch.randint(2**62, (), generator=generator))

    def uniforms(slot: int) -> Tensor:
        return torch.rand(sampling.max_new_tokens, dtype=torch.float64, generator=random_stream(seed, slot))

    drawn = shapes.decode(
        [slot for _, slot in waiting],
        lambda slots: _encode(model, prompts, [number_of[slot] for slot in slots], pad),
        uniforms,
    )
    ordered = [drawn[slot] for slot in range(len(waiting))]
    return Completions(
        prompts=prompts,
        completions=[one.tokens for one in ordered],
        logprobs=[one.logprobs for one in ordered],
        entropy=[one.entropy for one in ordered],
        finished=[one.tokens[-1] in eos for one in ordered],
    )


def rows_at_once(model: LanguageModel, tokens: int) -> int:
    """How many completions, each with its prompt up to `tokens` long, have a cache that fits into memory.

    On the CPU a fixed amount, so that the same seed draws the same samples on every machine; on a GPU half of what
    could still be had, what the allocator keeps for later and what earlier samples were drawn in among it.
    """
    config = model.config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    size = 2 if model.device.type == "cuda" and torch.is_autocast_enabled("cuda") else 4  # bytes a number
    row = 2 * config.num_hidden_layers * heads * width * tokens * size
    free = CACHE_BYTES
    if model.device.type == "cuda":
        free = (devices.memory_bytes(model.device)[0] + (model.decoding[1].bytes if model.decoding else 0)) // 2
    return max(1, min(MOST_ROWS, free // row))


class _Record:
    """What was drawn, (tokens, completions); what stands below an end token means nothing."""

    def __init__(self, completions: int, tokens: int, device: torch.device, tool: PythonTool | None) -> None:
        self.tool = tool
        self.inserted = torch.zeros(tokens, completions, dtype=torch.bool, device=device)
        self.tokens = torch.zeros(tokens, completions, dtype=torch.long, device=device)
        self.logprobs = torch.zeros(tokens, completions, device=device)
        self.entropy = torch.zeros(tokens, completions, device=device)

    def add(self, step: int | Tensor, slots: Tensor, tokens: Tensor, logprobs: Tensor, entropy: Tensor) -> Tensor:
        """The tokens that stand there: those that were drawn, but where the tool inserts some."""
        if self.tool:
            tokens, inserted = self.tool(slots, tokens)
            logprobs, entropy = logprobs.masked_fill(inserted, 0.0), entropy.masked_fill(inserted, 0.0)
            self.inserted[step, slots] = inserted
        self.tokens[step, slots] = tokens
        self.logprobs[step, slots] = logprobs
        self.entropy[step, slots] = entropy
        return tokens

    def completions(self, prompts: list[list[int]], eos: Sequence[int]) -> Completions:
        ended = is_end(self.tokens, eos)
        after = (ended.cumsum(0) - ended.long()) > 0
        lengths = (~after).sum(0).tolist()
        entropy = torch.where(after, 0.0, self.entropy).sum(0)
        tokens = [row[:n] for row, n in zip(self.tokens.T.tolist(), lengths, strict=True)]
        logprobs, inserted = self.logprobs.T.cpu().numpy(), self.inserted.T.cpu().numpy()
        return Completions(
            prompts=prompts,
            completions=tokens,
            logprobs=[logprobs[i, :n].copy() for i, n in enumerate(lengths)],
            entropy=entropy.tolist(),
            finished=ended.any(0).tolist(),
            inserted=[inserted[i, :n].copy() for i, n in enumerate(lengths)] if self.tool else None,
        )


def _encode(model: LanguageModel, prompts: list[list[int]], numbers: list[int], pad: int) -> Encoded:
    """The prompts of rows, `numbers`, each encoded once."""
    distinct = list(dict.fromkeys(numbers))
    row_of = {number: row for row, number in enumerate(distinct)}
    owner = torch.tensor([row_of[number] for number in numbers], device=model.device)
    cache = _cache(model)
    states, mask = model.encode_prompts([prompts[number] for number in distinct], pad, cache)
    return Encoded(states, mask, cache, owner)


def _decode(model, decoder, batch: Encoded, slots, sampling, eos, generator, record) -> None:
    """Decode a batch to its end, into the `slots` of the record; greedily without a generator."""
    cache = batch.cache
    states, prompt_mask = batch.states[batch.owner], batch.mask[batch.owner]
    cache.batch_select_indices(batch.owner)
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
        tokens = record.add(step, slots, tokens, logprobs, entropy)
        alive = alive & ~is_end(tokens, eos)
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
            states = decoder.states(tokens, positions, _attending(cache, step_mask))
        else:
            states = model.states(tokens[:, None], step_mask, positions[:, None], cache)[:, -1]
        positions = positions + 1


def _attending(cache: Cache, mask: Tensor | None) -> Attend:
    """Attention to all that the cache has of each row."""

    def attend(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        keys, values = cache.layers[layer].update(key, value)
        return F.scaled_dot_product_attention(
            query, keys, values, attn_mask=mask, enable_gqa=query.shape[1] != key.shape[1]
        )

    return attend


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
