"""What devices can do, from their makers' data sheets. Imports no torch: plans are made where there is none."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Efficiency:
    """Which share of what a device could do at most is taken to be reached, where a grid does not say."""

    pretraining: float
    """Of the peak FLOPs, by a forward and backward pass of pretraining (model FLOPs utilisation, MFU)."""
    rl_update: float
    """The same by log-probabilities and updates of RL and of Expert Iteration's fine-tuning."""
    sampling: float
    """Of the memory's bandwidth, by decoding."""


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
    """Until Python has started the operations of one decoding step, but for those of its layers; whatever the batch."""
    layer_seconds: float
    """The same of one layer. A forward and backward pass takes about three times as long to start."""
    efficiency: Efficiency

    @property
    def is_gpu(self) -> bool:
        return self.memory_bytes is not None


EAGER = 0.5e-3, 0.15e-3
"""Some 60 operations a step and 20 a layer, 7 microseconds each to start from Python."""
RECORDED = 1 / 3
"""What is left of that where a GPU replays recorded steps, as sampling has them."""

MEASURED = {
    "H200": Efficiency(pretraining=0.46, rl_update=0.34, sampling=0.46),
    "CPU": Efficiency(pretraining=0.35, rl_update=0.35, sampling=1.0),
}
"""H200: 150M in bf16; pretraining with micro-batches of 65,536 tokens (460 TFLOP/s), GRPO's and PPO's update on 512
completions of 508 tokens (1.20 and 1.89 s: .33 and .37), sampling 512 rows of 512 tokens (201.8k tokens/s). CPU: what
the demo's jobs took. Other GPUs are taken to reach the H200's shares until somebody measures them: one line each."""

OTHER = MEASURED["H200"]

DEVICES = {
    "H200": Device(989e12, 67e12, 4.8e12, 141e9, *EAGER, MEASURED["H200"]),
    "H100": Device(989e12, 67e12, 3.35e12, 80e9, *EAGER, OTHER),
    "A100": Device(312e12, 19.5e12, 2.04e12, 80e9, *EAGER, OTHER),
    "L40S": Device(362e12, 91.6e12, 0.864e12, 48e9, *EAGER, OTHER),
    "RTX 4090": Device(165e12, 82.6e12, 1.01e12, 24e9, *EAGER, OTHER),
    "V100": Device(125e12, 15.7e12, 0.9e12, 32e9, *EAGER, OTHER),
    "CPU": Device(1e11, 1e11, 1e10, None, 1.0e-3, 0.3e-3, MEASURED["CPU"]),
}
"""SXM versions where there are several. CPU: one core with AVX2 at 3 GHz; its seconds a step and a layer are what the
demo's jobs took."""


def of(name: str) -> Device | None:
    """The GPU whose name, as the driver gives it, holds one of the table's; None if it is not in the table."""
    return next((device for known, device in DEVICES.items() if device.is_gpu and known in name), None)
