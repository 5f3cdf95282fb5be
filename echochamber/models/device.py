"""Where tensors live, and at which precision they are multiplied."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from collections.abc import Callable

import torch

from echochamber import hardware
from echochamber.errors import Interrupted, UserError
from echochamber.jobs import gpus


def pick(stop: Callable[[], bool] = lambda: False, number: int | None = None) -> torch.device:
    """A GPU that no other job has leased if there is one, else the CPU; `ECHO_DEVICE` (cpu, cuda:1, mps) overrules it.

    Of a GPU that jobs share (`gpus.percent`), torch takes no more memory than this one's part.

    Args:
        number: of this process on its node, which takes the GPU of that number; what started it has leased them.

    Raises:
        Interrupted: `stop()` turned true while all GPUs were leased.
    """
    name = os.environ.get("ECHO_DEVICE")
    if not name:
        if number is None and gpus.lease(1, stop) is None:
            raise Interrupted("while waiting for a GPU")
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and number is not None:
        name = f"cuda:{number}"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"ECHO_DEVICE: found {name!r} ({str(error).splitlines()[0]}), allowed: cpu, or a device of this machine"
        ) from None
    if device.type == "cuda" and gpus.percent() < 100:
        torch.cuda.set_per_process_memory_fraction(gpus.percent() / 100, device)
    return device


def memory_bytes(device: torch.device) -> tuple[int, int]:
    """(free, all) bytes of a GPU's memory for this process: of its part where jobs share one.

    What the allocator holds and no tensor uses is free too.
    """
    free, total = torch.cuda.mem_get_info(device)
    reserved, used = torch.cuda.memory_reserved(device), torch.cuda.memory_allocated(device)
    part = total * gpus.percent() // 100
    return max(0, min(free + reserved, part) - used), part


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager:
    """bf16 matrix products around fp32 weights, or nothing."""
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()


def name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def mfu(flops_per_second: float, device: torch.device) -> float | None:
    """Share of the device's peak that the model's own FLOPs use; None where the peak is not known."""
    known = hardware.of(name(device))
    return flops_per_second / known.peak_flops if known else None


def peak_bytes(device: torch.device) -> int:
    """The most memory held so far: on a GPU by tensors, else by the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
