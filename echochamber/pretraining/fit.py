"""What fits a device: rows of a micro-batch, and whether compiling pays. Imports no torch: the plan asks the same."""

from __future__ import annotations

from echochamber.hardware import Device
from echochamber.settings import Pretraining, Scale

TOKENS_AT_ONCE = 2**14
"""Tokens of a micro-batch on a CPU, where a scale does not say: at little memory."""
TOKENS_AT_MOST = 2**16
"""The same on a GPU: more of them make nothing faster (150M on an H100: 43 % of the peak with these, 37 % with a fourth
of them)."""
MEMORY_USED = 0.6
"""Of a GPU's free memory, by weights, optimiser and activations as they are predicted."""
LOGITS_AT_ONCE = 2**26
"""Those that exist at any time, or are kept."""

BYTES_TRAINED = 16
"""A weight that is trained by Adam in fp32: itself, its gradient, two moments."""

SECONDS_COMPILING = 10.0
"""Of a pretraining's start on an H100, whatever the model's width: its layers are compiled one by one and are alike."""
SHARE_GAINED = 1 / 3
"""Of the time of training that compiling saves, about."""


def activation_bytes(
    *,
    width: int,
    intermediate: int,
    layers: int,
    vocabulary: int,
    tokens: float,
    precision: str,
    recompute: bool = False,
) -> float:
    """Bytes that a forward pass keeps for the backward pass, in the manner of Korthikanti et al. 2022, section 4.

    In bf16 under autocast a layer keeps about 24 d + 8 m bytes a token: 10 d of attention (no matrix of scores), 14 d
    of two norms and the fp32 residual stream, 8 m of a SwiGLU of width m; in fp32 twice that. Logits and their
    gradient are fp32. With `recompute` (gradient checkpointing) a layer keeps its fp32 input, and one is made whole.
    """
    layer = (24 * width + 8 * intermediate) * (1 if precision == "bf16" else 2)
    kept = 4 * width * layers + layer if recompute else layer * layers
    return tokens * kept + 8 * min(tokens * vocabulary, LOGITS_AT_ONCE)


def micro_batch_rows(
    scale: Scale, settings: Pretraining, *, vocabulary: int, rows: int, held: float, memory_bytes: float | None
) -> int:
    """Rows of one forward and backward pass of a process.

    What the scale says; else on a CPU as many as make `TOKENS_AT_ONCE` (so that results are the same everywhere), and
    on a GPU the largest power of two that fits its memory, up to `TOKENS_AT_MOST`.

    Args:
        rows: of the batch that are this process's.
        held: bytes of weights, gradients and optimiser in this process.
        memory_bytes: free on the GPU; None on a CPU.
    """
    length = settings.sequence_length
    if scale.micro_batch_rows:
        return scale.micro_batch_rows
    if memory_bytes is None:
        return max(1, TOKENS_AT_ONCE // length)
    shape = {"width": scale.width, "intermediate": scale.intermediate, "layers": scale.layers, "vocabulary": vocabulary}
    fitting = 1
    while fitting < rows and 2 * fitting * length <= TOKENS_AT_MOST:
        bytes_kept = activation_bytes(**shape, tokens=2 * fitting * length, precision=settings.precision)
        if held + bytes_kept > MEMORY_USED * memory_bytes:
            break
        fitting *= 2
    return fitting


def compiling_pays(device: Device | None, *, layers: int, flops: float, passes: float, precision: str) -> bool:
    """Whether compiling saves a pretraining more than it takes; True where the GPU is not known.

    Args:
        flops: of the whole run, of one process.
        passes: forward and backward passes of one process.
    """
    if device is None:
        return True
    peak = device.peak_flops if precision == "bf16" else device.peak_flops_fp32
    start = 3 * passes * (device.step_seconds + device.layer_seconds * layers)
    return SHARE_GAINED * max(flops / (device.efficiency.pretraining * peak), start) > SECONDS_COMPILING
