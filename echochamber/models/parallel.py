"""The processes of one training job: who is who, what they agree on, how they share a model.

torchrun starts them (`echochamber/jobs/launch.py`, or by hand) and tells each its number; without it there is one. Only
the first one writes. Two channels: tensors on GPUs through NCCL, decisions and everything on a CPU through gloo, so
that an agreement makes no host wait for its GPU.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.checkpoint import state_dict as states
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.nn.parallel import DistributedDataParallel

from echochamber.models import device as devices

T = TypeVar("T")

PATIENCE = timedelta(days=7)
"""How long one process waits for another: the first may be waiting for a lock. A dead one is noticed at once."""


@dataclass(frozen=True)
class Processes:
    """What one process knows of itself and the others."""

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """This process's part of `count` things, which `size` divides."""
        each = count // self.size
        return slice(self.rank * each, (self.rank + 1) * each)

    def agree(self, value: T) -> T:
        """The first one's value."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, device=torch.device("cpu"))
        return box[0]

    def any(self, *flags: bool) -> list[bool]:
        """For each flag, whether it is true in some process."""
        if self.size == 1:
            return list(flags)
        raised = torch.tensor(flags, dtype=torch.int32)
        dist.all_reduce(raised, dist.ReduceOp.MAX)
        return [bool(flag) for flag in raised.tolist()]

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over all processes, in place."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor


@contextlib.contextmanager
def joined(stop: Callable[[], bool]) -> Iterator[Processes]:
    """The processes that torchrun has started, or this one alone."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Processes(devices.pick(stop))
        return
    device = devices.pick(stop, int(os.environ["LOCAL_RANK"]))
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield Processes(device, dist.get_rank(), size)
    finally:
        dist.destroy_process_group()


class Shared:
    """A module whose weights, or whose gradients, are shared by all processes.

    `module(...)` is its forward pass. Gradients are averaged over the processes.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        layers: torch.nn.ModuleList,
        processes: Processes,
        sharding: Literal["none", "fsdp2"],
    ) -> None:
        """`layers`: the parts that `fsdp2` gathers one after the other. Every process has built the same module."""
        self.inner = self.module = module.to(processes.device)
        if processes.size == 1:
            return
        if sharding == "none":
            self.module = DistributedDataParallel(self.inner, broadcast_buffers=False, gradient_as_bucket_view=True)
            return
        mesh = dist.init_device_mesh(processes.device.type, (processes.size,))
        for part in (*layers, self.inner):  # in fp32, as autocast takes them: the same numbers as without sharding
            fully_shard(part, mesh=mesh)

    def accumulating(self, last: bool) -> contextlib.AbstractContextManager:
        """Around forward and backward pass of a micro-batch: gradients travel after the last one only."""
        if isinstance(self.module, DistributedDataParallel) and not last:
            return self.module.no_sync()
        if isinstance(self.module, FSDPModule):
            self.module.set_requires_gradient_sync(last)
        return contextlib.nullcontext()

    def whole_weights(self) -> dict[str, Tensor] | None:
        """Name -> weight of the model, in the first process, where none holds them all. All have to call it."""
        if not isinstance(self.module, FSDPModule):
            return None
        once = dict(self.inner.model.named_parameters())  # a tied matrix has one name
        state_dict = states.get_model_state_dict(self.inner.model, options=WHOLE)
        return {name: weight for name, weight in state_dict.items() if name in once}

    def state(self, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """Weights and optimiser, in the first process, as any number of them can load it. All have to call it."""
        weights, moments = states.get_state_dict(self.inner, optimizer, options=WHOLE)
        return {"model": weights, "optimizer": moments}

    def load(self, optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
        """Take over what `state` gave; only the first process has to have it."""
        options = states.StateDictOptions(full_state_dict=True, broadcast_from_rank0=dist.is_initialized())
        states.set_model_state_dict(self.inner, saved.get("model", {}), options=options)
        states.set_optimizer_state_dict(self.inner, optimizer, saved.get("optimizer", {}), options=options)


WHOLE = states.StateDictOptions(full_state_dict=True, cpu_offload=True)
