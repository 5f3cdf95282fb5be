"""Decoding for a GPU: every step runs the same kernels on the same memory, so that it is recorded once and played back.

A step of a small model is hundreds of kernels that take less time than it takes to start them; a recorded one (a CUDA
graph) is started whole. Recording wants shapes and addresses that stay, and no answer to the host in between. So, other
than in `echochamber.sampling.generate`,

- a row has room for the longest prompt and completion, begins at its first column, and knows how long it is: a step
  writes at that column, and attention reads no further;
- a row that is done waits until enough are, and then a completion that waits takes its place; at the end of the queue
  the batch is halved as soon as the living fit, so that shapes and recordings are few;
- the host looks at the device once every few steps. Every completion has random numbers of its own, drawn before it
  begins: what it becomes does not depend on the rows beside it;
- memory and recordings are kept with the model, from one call to the next.

Where the device records nothing (a CPU, or a recording that failed) each step runs as it is written here: the same
numbers, more slowly.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

from echochamber.models.decoding_attention import available, decoding_attention
from echochamber.models.forward import LanguageModel
from echochamber.models.olmo_decoder import OlmoDecoder, applies_to
from echochamber.sampling.draw import draw_in_parts
from echochamber.sampling.graphs import Graphs
from echochamber.settings import Sampling

COLUMNS = 128
"""Tokens by which attention widens where it is not told how long each row is: a recording for each width."""
STEPS_BETWEEN_LOOKS = 8
"""How often the host asks which rows are alive, which makes it wait for the device."""
REPLACED_TOGETHER = 8
"""Rows that are done are replaced once they are one in so many: to encode new prompts makes the others wait."""


@dataclass
class Encoded:
    """Some prompts, and the rows that begin with them."""

    states: Tensor
    """Of each prompt's last token, (prompts, width)."""
    mask: Tensor
    """(prompts, tokens), False on the padding on the left."""
    cache: Cache
    """The prompts' keys and values."""
    owner: Tensor
    """(rows,), the number of each row's prompt among these."""


@dataclass
class Drawn:
    """One completion: its tokens, their log-probabilities, float32, and the sum of the entropies."""

    tokens: list[int]
    logprobs: np.ndarray
    entropy: float


class FixedShapes:
    """Buffers for `rows` completions at once, and the recordings of the steps on them."""

    def __init__(
        self, model: LanguageModel, sampling: Sampling, ends: tuple[int, ...], greedy: bool, rows: int, longest: int
    ) -> None:
        """
        Args:
            ends: tokens that end a completion.
            greedy: the most likely token each time.
            longest: columns of a row: more than prompt and completion have tokens.
        """
        self.model, self.sampling, self.greedy = model, sampling, greedy
        self.rows, self.longest, self.limit = rows, longest, sampling.max_new_tokens
        self.graphs = Graphs(model.device)
        fast = model.full_attention and model.plain_head and applies_to(model.model)
        self.decoder = OlmoDecoder(model.model, longest, compile=model.compile) if fast else None
        self.told = self.decoder is not None and available(model.device, self.decoder.width)
        """Whether attention is told how long each row is."""
        self.draw = torch.compile(draw_in_parts, dynamic=True) if model.compile else draw_in_parts
        self.ends = torch.tensor(ends, device=model.device)
        self.states: Tensor | None = None
        self.kv: list[tuple[Tensor, Tensor]] = []
        """Of each layer, keys and values: (rows, columns, heads, width)."""

    @classmethod
    def of(
        cls, model: LanguageModel, sampling: Sampling, ends: tuple[int, ...], greedy: bool, rows: int, tokens: int
    ) -> FixedShapes:
        """Those that the model has from its last call if they will do, with its weights of today, or new ones.

        Args:
            rows: completions at once, about.
            tokens: of the longest prompt and its completion.
        """
        kind = model.device.type
        precision = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else model.model.dtype
        key = sampling, ends, greedy, precision
        known, shapes = model.decoding or (None, None)
        if known == key and shapes.longest > tokens and rows <= 2 * shapes.rows <= 4 * rows:
            if shapes.decoder:
                shapes.decoder.refresh(model.model)
            return shapes
        model.decoding = shapes = None  # its memory is free before new buffers take it
        shapes = cls(model, sampling, ends, greedy, rows, _round_up(tokens + 1, COLUMNS))
        model.decoding = key, shapes
        return shapes

    @property
    def bytes(self) -> int:
        """What keys and values take."""
        return sum(buffer.nbytes for layer in self.kv for buffer in layer)

    def decode(
        self, waiting: list[int], encode: Callable[[list[int]], Encoded], uniforms: Callable[[int], Tensor]
    ) -> dict[int, Drawn]:
        """Decode the completions `waiting`, which numbers name, in that order.

        Args:
            encode: gives the prompts of some of them.
            uniforms: gives the random numbers of one, (max_new_tokens,), float64, on the CPU; not asked where greedy.
        """
        queue, done = deque(waiting), dict[int, Drawn]()
        held: list[int | None] = [None] * min(self.rows, len(queue))  # the completion in each row
        reach = 0  # no row is longer
        while True:
            empty = [row for row, name in enumerate(held) if name is None][: len(queue)]
            if empty:
                names = [queue.popleft() for _ in empty]
                encoded = encode(names)
                self._load(empty, encoded, None if self.greedy else torch.stack([uniforms(name) for name in names]))
                for row, name in zip(empty, names, strict=True):
                    held[row] = name
                reach = max(reach, encoded.mask.shape[1])
            rows = len(held)
            reach += STEPS_BETWEEN_LOOKS
            columns = self.longest if self.told else min(self.longest, _round_up(reach + 1, COLUMNS))
            for _ in range(STEPS_BETWEEN_LOOKS):
                self.graphs.run((rows, columns), lambda shape=(rows, columns): self._step(*shape))  # type: ignore[misc]
            alive = self.alive[:rows].tolist()
            ended = [row for row, name in enumerate(held) if name is not None and not alive[row]]
            if any(alive) and len(ended) * (REPLACED_TOGETHER if queue else 2) < rows:
                continue
            done |= self._take(ended, held)
            if not queue:
                if not any(alive):
                    return done
                held = self._keep_the_living(held, columns)

    def _step(self, rows: int, columns: int) -> None:
        """One token more for the first `rows`: a function of the buffers, into the buffers. No look at the device."""
        drawn, lengths, alive = self.drawn[:rows], self.lengths[:rows], self.alive[:rows]
        logits = self._logits(self.states[:rows])
        uniform = None if self.greedy else self.uniform[:rows].gather(1, drawn.clamp(max=self.limit - 1)[:, None])
        tokens, logprobs, entropy = self.draw(logits, top_p=self.sampling.top_p, uniform=uniform)
        for buffer, new in ((self.tokens, tokens), (self.logprobs, logprobs), (self.entropy, entropy)):
            buffer[:rows].scatter_(1, drawn[:, None], new[:, None])  # of a row that is done, behind its end
        self.states[:rows] = self._next_states(tokens, lengths, rows, columns)
        drawn += alive
        lengths += alive
        alive &= (drawn < self.limit) & (tokens[:, None] != self.ends).all(1)

    def _logits(self, states: Tensor) -> Tensor:
        temperature = self.sampling.temperature
        return (self.decoder or self.model).logits(states, temperature)

    def _next_states(self, tokens: Tensor, lengths: Tensor, rows: int, columns: int) -> Tensor:
        """Of one more token a row, whose keys and values are written at its length."""
        at = self.first[:rows] + lengths
        mask = None if self.told else self._mask(lengths, columns)

        def attend(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            keys, values = self.kv[layer]
            for buffer, new in ((keys, key), (values, value)):
                buffer.flatten(0, 1).index_copy_(0, at, new[:, :, 0].to(buffer.dtype))
            if self.told:
                return decoding_attention(query[:, :, 0], keys[:rows], values[:rows], lengths)
            window = (buffer[:rows, :columns].transpose(1, 2) for buffer in (keys, values))
            return F.scaled_dot_product_attention(
                query, *window, attn_mask=mask, enable_gqa=query.shape[1] != key.shape[1]
            )

        if self.decoder:
            return self.decoder.states(tokens, lengths, attend)
        layers = [_Window(keys, values, at, rows, columns) for keys, values in self.kv]
        return self.model.states(tokens[:, None], mask, lengths[:, None], Cache(layers=list(layers)))[:, -1]

    def _mask(self, lengths: Tensor, columns: int) -> Tensor:
        """What is added to attention, (rows, 1, 1, columns): nothing up to the newest token, then all but infinity."""
        dtype = self.kv[0][0].dtype
        seen = torch.arange(columns, device=lengths.device) <= lengths[:, None]
        least = torch.full((), torch.finfo(dtype).min, dtype=dtype, device=lengths.device)
        return torch.where(seen, torch.zeros_like(least), least)[:, None, None]

    def _allocate(self, encoded: Encoded) -> None:
        rows, device = self.rows, self.model.device
        self.states = encoded.states.new_zeros(rows, *encoded.states.shape[1:])

        def zeros(like: Tensor) -> Tensor:  # not empty: what attention masks out must at least be a number
            return like.new_zeros(rows, self.longest, like.shape[1], like.shape[3])

        self.kv = [(zeros(layer.keys), zeros(layer.values)) for layer in encoded.cache.layers]
        self.first = torch.arange(rows, device=device) * self.longest
        self.lengths, self.drawn = torch.zeros(2, rows, dtype=torch.long, device=device)
        self.alive = torch.zeros(rows, dtype=torch.bool, device=device)
        self.tokens = torch.zeros(rows, self.limit + 1, dtype=torch.long, device=device)
        self.logprobs, self.entropy = torch.zeros(2, rows, self.limit + 1, device=device)
        self.uniform = torch.zeros(rows, self.limit, dtype=torch.float64, device=device)

    def _load(self, rows: list[int], encoded: Encoded, uniforms: Tensor | None) -> None:
        """Begin a completion in each of `rows`."""
        if self.states is None:
            self._allocate(encoded)
        device, width, owner = self.model.device, encoded.mask.shape[1], encoded.owner
        chosen = torch.tensor(rows, device=device)
        lengths = encoded.mask.sum(1)[owner]
        # A prompt's padding is on its left; here it begins at the first column. What follows it is written over.
        columns = (torch.arange(width, device=device) + (width - lengths)[:, None]).clamp(max=width - 1)
        for buffers, layer in zip(self.kv, encoded.cache.layers, strict=True):
            for buffer, new in zip(buffers, (layer.keys, layer.values), strict=True):
                buffer[chosen, :width] = new.transpose(1, 2)[owner[:, None], columns]
        self.states[chosen] = encoded.states[owner]
        self.lengths[chosen], self.drawn[chosen], self.alive[chosen] = lengths, 0, True
        if uniforms is not None:
            self.uniform[chosen] = uniforms.to(device)

    def _take(self, rows: list[int], held: list[int | None]) -> dict[int, Drawn]:
        """The completions of rows that are done, which hold none from now on."""
        chosen = torch.tensor(rows, device=self.model.device, dtype=torch.long)
        buffers = (self.drawn, self.tokens, self.logprobs, self.entropy)
        counts, tokens, logprobs, entropy = (buffer[chosen].cpu() for buffer in buffers)
        taken = {}
        for index, (row, n) in enumerate(zip(rows, counts.tolist(), strict=True)):
            name, held[row] = held[row], None
            taken[name] = Drawn(
                tokens[index, :n].tolist(), logprobs[index, :n].numpy().copy(), float(entropy[index, :n].sum())
            )
        return taken

    def _keep_the_living(self, held: list[int | None], columns: int) -> list[int | None]:
        """Halve the batch as long as the living fit; empty rows fill it up."""
        living = sum(name is not None for name in held)
        kept = len(held)
        while kept > 1 and living <= math.ceil(kept / 2):
            kept = math.ceil(kept / 2)
        if kept == len(held):
            return held
        order = sorted(range(len(held)), key=lambda row: held[row] is None)[:kept]
        keep = torch.tensor(order, device=self.model.device)
        for buffer in self._of_rows(columns):
            buffer[:kept] = buffer.index_select(0, keep)
        return [held[row] for row in order]

    def _of_rows(self, columns: int) -> Iterator[Tensor]:
        """All buffers that have something of each row."""
        yield from (self.states, self.lengths, self.drawn, self.alive)
        yield from (self.tokens, self.logprobs, self.entropy, self.uniform)
        for keys, values in self.kv:
            yield keys[:, :columns]
            yield values[:, :columns]


class _Window(DynamicLayer):
    """Keys and values of one layer: a view of the buffers, of which a step writes one column a row."""

    def __init__(self, keys: Tensor, values: Tensor, at: Tensor, rows: int, columns: int) -> None:
        super().__init__()
        self.buffers, self.at = (keys, values), at
        self.keys, self.values = (buffer[:rows, :columns].transpose(1, 2) for buffer in self.buffers)
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        for buffer, new in zip(self.buffers, (key_states, value_states), strict=True):
            buffer.flatten(0, 1).index_copy_(0, self.at, new[:, :, 0].to(buffer.dtype))
        return self.keys, self.values


def _round_up(number: int, unit: int) -> int:
    return -(-number // unit) * unit
