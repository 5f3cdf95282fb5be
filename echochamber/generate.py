"""Sampling and greedy decoding with a key-value cache, and the sampler's own log-probabilities.

Different from `transformers`' generate: a prompt is encoded once for all its samples, rows that hit the end token leave
the batch, waiting prompts take their place, logits are made for the last position only, and every draw comes from the
generator that is passed in: the same generator state gives the same completions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from echochamber.forward import LanguageModel
from echochamber.settings import Sampling


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
    max_rows: int = 512,
) -> Completions:
    """`samples` completions of every prompt.

    Args:
        prompts: token ids, at least one each.
        greedy: the most likely token each time; temperature and top_p then bear on the reported numbers only.
        generator: on the CPU; all randomness comes from it.
        max_rows: completions decoded at once; bounds memory. Another value draws other samples.
    """
    if any(len(prompt) == 0 for prompt in prompts):
        raise ValueError("prompts: found an empty one, allowed: at least one token each")
    model = model if isinstance(model, LanguageModel) else LanguageModel(model)
    was_training = model.model.training
    model.model.eval()
    by_length = sorted(range(len(prompts)), key=lambda number: len(prompts[number]))
    waiting = [(number, number * samples + sample) for number in by_length for sample in range(samples)]
    record = _Record(len(waiting), sampling.max_new_tokens, model.device)
    while waiting:
        batch, waiting = waiting[:max_rows], waiting[max_rows:]
        _decode(model, prompts, batch, sampling, greedy, eos, pad, generator, record)
    model.model.train(was_training)
    return record.completions(prompts, eos)


class _Record:
    """What was drawn, one row a completion."""

    def __init__(self, rows: int, tokens: int, device: torch.device) -> None:
        self.tokens = torch.zeros(rows, tokens, dtype=torch.long, device=device)
        self.logprobs = torch.zeros(rows, tokens, device=device)
        self.entropy = torch.zeros(rows, device=device)
        self.lengths = torch.zeros(rows, dtype=torch.long, device=device)

    def add(self, rows: Tensor, tokens: Tensor, logprobs: Tensor, entropy: Tensor) -> None:
        at = self.lengths[rows]
        self.tokens[rows, at] = tokens
        self.logprobs[rows, at] = logprobs
        self.entropy[rows] += entropy
        self.lengths[rows] = at + 1

    def completions(self, prompts: list[list[int]], eos: int) -> Completions:
        lengths = self.lengths.tolist()
        tokens = [row[:n] for row, n in zip(self.tokens.tolist(), lengths, strict=True)]
        logprobs = self.logprobs.cpu().numpy()
        return Completions(
            prompts=prompts,
            completions=tokens,
            logprobs=[logprobs[i, :n].copy() for i, n in enumerate(lengths)],
            entropy=self.entropy.tolist(),
            finished=[row[-1] == eos for row in tokens],
        )


def _decode(model, prompts, batch, sampling, greedy, eos, pad, generator, record) -> None:
    """Decode `batch`, a list of (prompt, row of the record), to the end."""
    distinct = list(dict.fromkeys(number for number, _ in batch))
    place = {number: i for i, number in enumerate(distinct)}
    owner = torch.tensor([place[number] for number, _ in batch], device=model.device)
    rows = torch.tensor([row for _, row in batch], device=model.device)
    cache = _cache(model)
    states, key_mask = model.encode_prompts([prompts[number] for number in distinct], pad, cache)
    states, key_mask = states[owner], key_mask[owner]
    cache.batch_select_indices(owner)
    padded = not bool(key_mask.all())
    positions = key_mask.sum(1)[:, None]
    one = key_mask.new_ones(len(key_mask), 1)
    alive = torch.ones(len(rows), dtype=torch.bool, device=model.device)
    wasted = 0
    for step in range(sampling.max_new_tokens):
        tokens, logprobs, entropy = draw(model.logits(states).float(), sampling, greedy, generator)
        here = alive.nonzero()[:, 0]
        record.add(rows[here], tokens[here], logprobs[here], entropy[here])
        alive &= tokens != eos
        living = int(alive.sum())
        if not living or step + 1 == sampling.max_new_tokens:
            return
        wasted += len(rows) - living
        if 2 * wasted > living:  # by now the dead rows have cost what it costs to copy the cache of the others
            keep = alive.nonzero()[:, 0]
            cache.batch_select_indices(keep)
            tokens, rows, key_mask, positions = tokens[keep], rows[keep], key_mask[keep], positions[keep]
            alive, one, wasted = alive[keep], one[keep], 0
        key_mask = torch.cat([key_mask, one], 1)
        mask = model.attention_mask(key_mask, 1) if padded or not model.full_attention else None
        states = model.states(tokens[:, None], mask, positions, cache)[:, -1]
        positions = positions + 1


def draw(logits: Tensor, sampling: Sampling, greedy: bool, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """One token a row.

    Args:
        logits: (rows, vocabulary), float32.

    Returns:
        tokens (rows,), their log-probabilities at the temperature and before top_p, and the entropies, in nats.
    """
    logprobs = torch.log_softmax(logits / sampling.temperature, -1)
    probabilities = logprobs.exp()
    entropy = -torch.where(probabilities > 0, probabilities * logprobs, 0.0).sum(-1)
    if greedy:
        tokens = logits.argmax(-1)
    else:
        # One uniform number a row, looked up in the cumulated probabilities: exact in float64, and one draw a row.
        uniform = torch.rand(len(logits), 1, dtype=torch.float64, generator=generator).to(logits.device)
        if sampling.top_p < 1:
            probabilities, order = _nucleus(probabilities, sampling.top_p)
        cumulated = probabilities.double().cumsum(-1)
        picked = torch.searchsorted(cumulated, uniform * cumulated[:, -1:], right=True)
        tokens = (picked if sampling.top_p == 1 else order.gather(1, picked))[:, 0]
    return tokens, logprobs.gather(1, tokens[:, None])[:, 0], entropy


def _nucleus(probabilities: Tensor, top_p: float) -> tuple[Tensor, Tensor]:
    """The fewest most likely tokens that hold `top_p` together, most likely first (Holtzman et al. 2020, section 3.1).

    Returns:
        their probabilities, 0 beyond the nucleus, and the tokens: (rows, candidates).
    """
    vocabulary = probabilities.shape[1]
    candidates = min(32, vocabulary)
    while True:  # few tokens hold most of the mass: sorting the whole vocabulary is rarely needed
        top, order = probabilities.topk(candidates, dim=-1)
        before = top.double().cumsum(-1) - top
        if candidates == vocabulary or bool((before[:, -1] >= top_p).all()):
            return torch.where(before < top_p, top, 0.0), order
        candidates = min(8 * candidates, vocabulary)


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
