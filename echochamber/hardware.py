"""What devices can do, from their makers' data sheets. Imports no torch: plans are made where there is none."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Device:
    """One GPU, or one core of a CPU."""

    peak_flops: float
    """Dense bf16 FLOPs per second (fp16 for the V100)."""
    peak_flops_fp32: float
    """FLOPs per second in fp32, without tensor cores."""
    bytes_per_second: float
    """Memory bandwidth."""
    memory_bytes: float | None
    """None for a CPU core: the machine's memory, shared by its jobs."""
    step_seconds: float
    """Until the operations of one decoding step are started, but for those of its layers; whatever the batch."""
    layer_seconds: float
    """The same of one layer. A forward and backward pass takes about three times as long to start."""
    mfu: float
    """The share of the peak that training is taken to use where a grid does not say."""

    @property
    def is_gpu(self) -> bool:
        return self.memory_bytes is not None


EAGER = 0.5e-3, 0.15e-3
"""Some 60 operations a step and 20 a layer, 7 microseconds each to start from Python. Not measured on a GPU yet."""

DEVICES = {
    "H200": Device(989e12, 67e12, 4.8e12, 141e9, *EAGER, 0.4),
    "H100": Device(989e12, 67e12, 3.35e12, 80e9, *EAGER, 0.4),
    "A100": Device(312e12, 19.5e12, 2.04e12, 80e9, *EAGER, 0.4),
    "L40S": Device(362e12, 91.6e12, 0.864e12, 48e9, *EAGER, 0.4),
    "RTX 4090": Device(165e12, 82.6e12, 1.01e12, 24e9, *EAGER, 0.4),
    "V100": Device(125e12, 15.7e12, 0.9e12, 32e9, *EAGER, 0.4),
    "CPU": Device(1e11, 1e11, 1e10, None, 1.0e-3, 0.3e-3, 0.35),
}
"""SXM versions where there are several. CPU: one core with AVX2 at 3 GHz; its last three numbers are what the demo's
jobs took."""


def of(name: str) -> Device | None:
    """The GPU whose name, as the driver gives it, holds one of the table's; None if it is not in the table."""
    return next((device for known, device in DEVICES.items() if device.is_gpu and known in name), None)
