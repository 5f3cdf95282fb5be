"""Decoding for a GPU: every step runs the same kernels on the same memory, so that it is recorded once and played back.

A step of a small model is hundreds of kernels that take less time than it takes to start them; a recorded one (a CUDA
graph) is started whole. Recording wants shapes and addresses that stay, and no answer to the host in between. So, other
than in `echochamber.sampling.generate`,

- keys and values have room for the longest completion from the start; a step writes them at a column that is a number
  on the device, and attention goes over the first so many columns, in steps of COLUMNS, with a mask for the rest;
- rows that are done stay until half of the batch is, and then go together: few shapes, few recordings;
- the host looks at the device once every few steps, and then sends the random numbers of the next few.

Where the device records nothing (a CPU, or a recording that failed) each step runs as it is written here: the same
numbers, more slowly.
"""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

from echochamber.models.forward import LanguageModel
from echochamber.sampling.draw import draw, uniforms
from echochamber.settings import Sampling

COLUMNS = 128
"""Tokens by which attention widens: a recording for each width."""

log = logging.getLogger(__name__)


class FixedShapes:
    """Buffers for `rows` completions at once, and the recordings of the steps on them."""

    def __init__(
        self,
        model: LanguageModel,
        step: Callable[[Tensor, Tensor, Tensor, Cache], Tensor] | None,
        record: Any,
        sampling: Sampling,
        eos: int,
        generator: torch.Generator | None,
        rows: int,
        longest: int,
        look: int,
    ) -> None:
        """Nothing is allocated before the first batch.

        Args:
            step: states of one more token a row, as `OlmoDecoder.states`; None: through the model.
            record: where tokens, log-probabilities and entropies go, by step and slot.
            generator: on the CPU; None: decode greedily.
            longest: prompt and completion, in tokens.
            look: steps between two looks at the device.
        """
        self.model, self.next_states, self.record = model, step or self._through_the_model, record
        self.sampling, self.eos, self.generator, self.look = sampling, eos, generator, look
        self.rows, self.longest = rows, _round_up(longest, COLUMNS)
        self.graphs = Graphs(model.device)
        self.states: Tensor | None = None

    def decode(self, states: Tensor, prompt_mask: Tensor, prompt_cache: Cache, owner: Tensor, slots: Tensor) -> None:
        """Decode a batch to its end.

        Args:
            states, prompt_mask, prompt_cache: of each prompt: states of its last token, padding mask, keys and values.
            owner, slots: (rows,), of each row the number of its prompt, and its slot in the record.
        """
        if self.states is None:
            self._allocate(states, prompt_cache)
        self._fill(states, prompt_mask, prompt_cache, owner, slots)
        rows, limit = len(slots), self.sampling.max_new_tokens
        for done in range(0, limit, self.look):
            steps = min(self.look, limit - done)
            if self.generator:
                self.uniform[:, :rows] = uniforms(self.look, rows, self.generator, self.model.device)
            columns = min(self.longest, _round_up(prompt_mask.shape[1] + done + steps, COLUMNS))
            for _ in range(steps):
                self.graphs.run((rows, columns), lambda shape=(rows, columns): self._step(*shape))
            living = int(self.alive[:rows].sum()) if done + steps < limit else 0
            if not living:
                return
            rows = self._keep_the_living(rows, living, columns)

    def _step(self, rows: int, columns: int) -> None:
        """One token more for the first `rows`: a function of the buffers, into the buffers. No look at the device."""
        s = self.sampling
        logits = self.model.logits(self.states[:rows], s.temperature)
        numbers = self.uniform.index_select(0, self.drawn % self.look)[0, :rows] if self.generator else None
        tokens, logprobs, entropy = draw(logits, top_p=s.top_p, uniform=numbers, candidates=logits.shape[-1])
        self.record.add(self.drawn, self.slots[:rows], tokens, logprobs, entropy)
        self.alive[:rows].logical_and_(tokens != self.eos)
        self.mask.index_fill_(-1, self.column, 0.0)
        layers = [
            _Window(keys[:rows, :, :columns], values[:rows, :, :columns], self.column) for keys, values in self.kv
        ]
        states = self.next_states(
            tokens, self.positions[:rows], self.mask[:rows, ..., :columns], Cache(layers=list(layers))
        )
        self.states[:rows] = states
        self.positions[:rows] += 1
        self.column += 1
        self.drawn += 1

    def _through_the_model(self, tokens: Tensor, positions: Tensor, mask: Tensor, cache: Cache) -> Tensor:
        return self.model.states(tokens[:, None], mask, positions[:, None], cache)[:, -1]

    def _allocate(self, states: Tensor, prompt_cache: Cache) -> None:
        rows, device = self.rows, self.model.device
        self.states = states.new_zeros(rows, *states.shape[1:])

        def zeros(like: Tensor) -> Tensor:  # not empty: what attention masks out must at least be a number
            return like.new_zeros(rows, like.shape[1], self.longest, like.shape[3])

        self.kv = [(zeros(layer.keys), zeros(layer.values)) for layer in prompt_cache.layers]
        self.mask = torch.zeros(rows, 1, 1, self.longest, dtype=self.kv[0][0].dtype, device=device)
        self.positions, self.slots = torch.zeros(2, rows, dtype=torch.long, device=device)
        self.alive = torch.zeros(rows, dtype=torch.bool, device=device)
        self.column, self.drawn = torch.zeros(2, 1, dtype=torch.long, device=device)
        self.uniform = torch.zeros(self.look, rows, 1, dtype=torch.float64, device=device)

    def _fill(self, states: Tensor, prompt_mask: Tensor, prompt_cache: Cache, owner: Tensor, slots: Tensor) -> None:
        """Begin a batch: the buffers as they are after the prompts."""
        rows, width = len(slots), prompt_mask.shape[1]
        self.states[:rows] = states[owner]
        for (keys, values), layer in zip(self.kv, prompt_cache.layers, strict=True):
            keys[:rows, :, :width] = layer.keys[owner]
            values[:rows, :, :width] = layer.values[owner]
        self.mask.fill_(torch.finfo(self.mask.dtype).min)
        self.mask[:rows, 0, 0, :width].masked_fill_(prompt_mask[owner], 0.0)
        self.positions[:rows] = prompt_mask.sum(1)[owner]
        self.slots[:rows] = slots
        self.alive[:rows] = True
        self.column.fill_(width)
        self.drawn.zero_()

    def _keep_the_living(self, rows: int, living: int, columns: int) -> int:
        """Halve the batch as long as the living fit; rows that are done fill it up and are not looked at again."""
        kept = rows
        while kept > 1 and living <= math.ceil(kept / 2):
            kept = math.ceil(kept / 2)
        if kept < rows:
            keep = self.alive[:rows].int().argsort(descending=True, stable=True)[:kept]
            for buffer in self._of_rows(columns):
                buffer[:kept] = buffer[:rows].index_select(0, keep)
        return kept

    def _of_rows(self, columns: int) -> Iterator[Tensor]:
        """All buffers that have something of each row."""
        yield from (self.states, self.mask, self.positions, self.slots, self.alive)
        for keys, values in self.kv:
            yield keys[:, :, :columns]
            yield values[:, :, :columns]


class _Window(DynamicLayer):
    """Keys and values of one layer: a view of the buffers that a step writes one column of."""

    def __init__(self, keys: Tensor, values: Tensor, column: Tensor) -> None:
        super().__init__()
        self.keys, self.values, self.column = keys, values, column
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args, **kwargs) -> tuple[Tensor, Tensor]:
        self.keys.index_copy_(2, self.column, key_states.to(self.keys.dtype))
        self.values.index_copy_(2, self.column, value_states.to(self.values.dtype))
        return self.keys, self.values


class Graphs:
    """Runs a step as it is the first time, and from a recording of its shape from then on.

    Where recording fails nothing is lost: recording a step does not run it.
    """

    def __init__(self, device: torch.device) -> None:
        self.possible = device.type == "cuda"
        self.recordings: dict[Any, torch.cuda.CUDAGraph] = {}

    def run(self, shape: Any, step: Callable[[], None]) -> None:
        if shape in self.recordings:
            self.recordings[shape].replay()
            return
        step()  # also loads what its kernels need, which cannot be done while recording
        if self.possible:
            try:
                self.recordings[shape] = self._record(step)
            except RuntimeError as error:
                self.possible = False
                warn_once(str(error).strip().splitlines()[0])

    def _record(self, step: Callable[[], None]) -> torch.cuda.CUDAGraph:
        """Recordings share their scratch memory: what a step leaves is in the buffers, which are not part of it."""
        pool = next((graph.pool() for graph in self.recordings.values()), None)
        graph = torch.cuda.CUDAGraph()
        back = torch.cuda.stream(torch.cuda.current_stream())  # a failure would leave another stream behind
        with back, torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
            step()
        return graph


@functools.cache
def warn_once(reason: str) -> None:
    log.warning("decoding steps cannot be recorded here (%s): each runs kernel by kernel, more slowly", reason)


def _round_up(number: int, unit: int) -> int:
    return -(-number // unit) * unit
