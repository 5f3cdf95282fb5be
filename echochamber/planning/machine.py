"""How long and how much memory a device takes for the work of a model. Imports no torch.

Training is bound by computation, at a stated share of the device's peak, another one for pretraining and for RL.
Decoding is bound by memory, at a stated share of its bandwidth, since each step reads all weights and the cache of
every row; and by the time that the step's operations take to start.
"""

from __future__ import annotations

import math
from typing import Literal

from echochamber.algorithms.lora import LoRA
from echochamber.hardware import DEVICES, RECORDED, Efficiency
from echochamber.planning.flops import Shape
from echochamber.pretraining import fit
from echochamber.settings import Hardware

MOST_ROWS, CACHE_BYTES = 1024, 2**29
"""Limits of `echochamber.sampling.generate`, which imports torch (a test compares them)."""

TRAINED, FROZEN, RESUMED = fit.BYTES_TRAINED, 4, 12
"""Bytes a weight: trained by Adam in fp32 (weight, gradient, two moments); only looked at; saved to resume from."""


ADAPTED_LAYERS = 7
"""Linear layers of a decoder layer (attention and SwiGLU) that `lora` with `all-linear` gives adapters."""


def trained_bytes(shape: Shape, lora: LoRA | None) -> tuple[float, float]:
    """Of a model that learns: what it holds, and what a run resumes from. Frozen weights have no gradient and moments.

    Adapters are counted as if each layer were a square of the model's width.
    """
    if lora is None:
        return TRAINED * shape.parameters, RESUMED * shape.parameters
    layers = ADAPTED_LAYERS if lora.targets == "all-linear" else len(lora.targets)
    adapters = shape.layers * layers * lora.rank * 2 * shape.width
    return FROZEN * shape.parameters + TRAINED * adapters, FROZEN * shape.parameters + RESUMED * adapters


Work = Literal["pretraining", "rl_update"]


class Machine:
    """One device of the planned hardware."""

    def __init__(self, settings: Hardware) -> None:
        self.device = DEVICES[settings.device]
        measured = self.device.efficiency
        self.efficiency = Efficiency(
            pretraining=settings.mfu or measured.pretraining,
            rl_update=settings.rl_mfu or measured.rl_update,
            sampling=settings.bandwidth_used or measured.sampling,
        )

    def flops_per_second(self, precision: str, work: Work = "pretraining") -> float:
        """That a kind of work reaches. fp32 does without a GPU's tensor cores."""
        share = getattr(self.efficiency, work)
        return float(share * (self.device.peak_flops if precision == "bf16" else self.device.peak_flops_fp32))

    def start_seconds(self, shape: Shape) -> float:
        """Until Python has started the operations of a forward pass over one token."""
        return self.device.step_seconds + self.device.layer_seconds * shape.layers

    def training_seconds(
        self, shape: Shape, flops: float, passes: float, precision: str, work: Work = "pretraining"
    ) -> float:
        """Seconds of `passes` forward and backward passes of `flops` in all; small models wait for Python."""
        return max(flops / self.flops_per_second(precision, work), 3 * passes * self.start_seconds(shape))

    def rows_at_once(self, shape: Shape, tokens: float, precision: str, held: float) -> int:
        """How many completions `echochamber.sampling.generate` decodes at once.

        Args:
            tokens: of a prompt and the longest completion.
            precision: of keys and values; on a CPU they count as fp32 whatever it is.
            held: bytes of the device's memory that hold something else.
        """
        free = (self.device.memory_bytes - held) / 2 if self.device.is_gpu else CACHE_BYTES
        kept = precision if self.device.is_gpu else "fp32"
        return max(1, min(MOST_ROWS, int(free // (tokens * cache_per_token(shape, kept)))))

    def decoding_seconds(
        self,
        shape: Shape,
        flops: float,
        *,
        rows: float,
        prompt: float,
        completion: float,
        longest: int,
        precision: str,
        held: float,
    ) -> float:
        """Seconds to sample `rows` completions with a key-value cache.

        On a CPU a batch runs until its longest row ends, which among hundreds is one that is cut off at `longest`; on a
        GPU the rows that are done are replaced, until the last ones run so to their end. Each step reads the weights
        once and every row's cache; where the products take longer than that, they decide. A GPU replays recorded
        steps, which start while the step before computes; a CPU starts each when it is done.

        Args:
            flops: of all of it.
            prompt, completion: mean lengths in tokens.
            held: bytes of the device's memory that hold something else than the cache.
        """
        at_once = self.rows_at_once(shape, prompt + longest, precision, held)
        steps: float = math.ceil(rows / at_once) * longest
        if self.device.is_gpu:
            steps = longest + max(0.0, rows - at_once) * completion / at_once
        weights = steps * shape.multiplied * (2 if precision == "bf16" else 4)
        cache = rows * completion * (prompt + completion / 2) * cache_per_token(shape, precision)
        moved = (weights + cache) / (self.efficiency.sampling * self.device.bytes_per_second)
        busy = max(flops / self.flops_per_second(precision), moved)
        start = steps * self.start_seconds(shape)
        return max(busy, RECORDED * start) if self.device.is_gpu else busy + start

    def cache_bytes(self, shape: Shape, rows: float, tokens: float, precision: str, held: float) -> float:
        """Of the keys and values of a batch that `generate` decodes at once."""
        return min(rows, self.rows_at_once(shape, tokens, precision, held)) * tokens * cache_per_token(shape, precision)


def cache_per_token(shape: Shape, precision: str) -> int:
    """Bytes of the keys and values of one token."""
    return 2 * shape.layers * shape.kv_width * (2 if precision == "bf16" else 4)


def activations(shape: Shape, tokens: float, precision: str, *, recompute: bool = False) -> float:
    """Bytes that a forward pass keeps for the backward pass: `pretraining.fit.activation_bytes` of a shape."""
    return fit.activation_bytes(
        width=shape.width,
        intermediate=shape.intermediate,
        layers=shape.layers,
        vocabulary=shape.vocabulary,
        tokens=tokens,
        precision=precision,
        recompute=recompute,
    )
