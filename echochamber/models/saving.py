"""How a state gets to the disk: how often, hashed on its way, beside the next steps where that is safe.

Differs from `torch.save` between two steps in what a large run waits for: of 27 GB on a disk of .25 GB/s it would wait
two minutes each time, and read them all again for a checksum.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import torch

SECONDS_BETWEEN_SAVES = float(os.environ.get("ECHO_SECONDS_BETWEEN_SAVES", "nan"))
"""Exactly so often, where a number is given; when a trainer saves changes no result."""
AT_LEAST = 60.0
"""Seconds between two saves, else."""
TIMES_THE_LAST = 30.0
"""And at least so many times what the last save took: saving costs a run 3 % at most."""
BESIDE_FROM = 1.0
"""Seconds that a save has taken from which on the next is written beside the steps that follow."""


class Cancelled(Exception):
    """What was being written is no longer wanted."""


class Pace:
    """When the next save is due."""

    def __init__(self) -> None:
        self.ended, self.took = time.monotonic(), 0.0

    def saved(self, took: float) -> None:
        """A save has just ended, after so many seconds."""
        self.ended, self.took = time.monotonic(), took

    @property
    def seconds(self) -> float:
        """Between the end of a save and the beginning of the next."""
        given = SECONDS_BETWEEN_SAVES
        return given if given == given else max(AT_LEAST, TIMES_THE_LAST * self.took)

    def due(self) -> bool:
        return time.monotonic() - self.ended > self.seconds


class HashedFile:
    """A new file that knows the sha256 of what was written to it, from its beginning to its end.

    Nothing is raised out of `write`, which torch calls from C++: after the first error, the rest is dropped.
    """

    def __init__(self, path: Path, cancelled: Callable[[], bool]) -> None:
        self.name, self.cancelled = str(path), cancelled
        self.file, self.digest = path.open("wb"), hashlib.sha256()
        self.error: Exception | None = None

    def write(self, part: Any) -> int:
        if self.error is None and self.cancelled():
            self.error = Cancelled()
        if self.error is None:
            self.digest.update(part)
            try:
                self.file.write(part)
            except OSError as error:
                self.error = error
        return len(part)

    def flush(self) -> None:
        if self.error is None:
            try:
                self.file.flush()
            except OSError as error:
                self.error = error


def write(state: dict[str, Any], folder: Path, cancelled: Callable[[], bool] = lambda: False) -> None:
    """Write state.pt and its sha256 into `folder`, which is there.

    Raises:
        Cancelled: `cancelled()` turned true on the way.
        OSError: the disk is full, for one.
    """
    target = HashedFile(folder / "state.pt", cancelled)
    with target.file:
        torch.save(state, target)
        target.flush()
        if target.error:
            raise target.error
    (folder / "sha256").write_text(target.digest.hexdigest(), encoding="utf-8")


def snapshot(value: Any, copies: dict[int, torch.UntypedStorage] | None = None) -> Any:
    """A copy, on the host, that no later step changes; tensors that share their numbers share them in the copy too."""
    copies = {} if copies is None else copies
    if isinstance(value, torch.Tensor):
        storage = value.untyped_storage()
        if storage.data_ptr() not in copies:
            copies[storage.data_ptr()] = storage.clone() if storage.device.type == "cpu" else storage.cpu()
        empty = torch.empty(0, dtype=value.dtype)
        return empty.set_(copies[storage.data_ptr()], value.storage_offset(), value.size(), value.stride())
    if isinstance(value, dict):
        return {key: snapshot(part, copies) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(snapshot(part, copies) for part in value)
    return value


def tensor_bytes(value: Any, seen: set[int] | None = None) -> int:
    """Of all tensors in a state, shared ones once."""
    seen = set() if seen is None else seen
    if isinstance(value, torch.Tensor):
        storage = value.untyped_storage()
        new = storage.data_ptr() not in seen
        seen.add(storage.data_ptr())
        return storage.nbytes() if new else 0
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return sum(tensor_bytes(part, seen) for part in parts)


def host_bytes_free(cgroups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """Memory that this process may still take: the machine's, or less where a control group (a Slurm job's) says so.

    Pages of files that the kernel can give up count as free.
    """
    free = psutil.virtual_memory().available
    lines = own.read_text(encoding="utf-8").splitlines() if own.exists() else []
    group = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), "")
    for folder in (cgroups / group, *(cgroups / group).parents):
        if not folder.is_relative_to(cgroups):
            break
        try:
            limit = (folder / "memory.max").read_text(encoding="utf-8").strip()
            used = int((folder / "memory.current").read_text(encoding="utf-8"))
            stat = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="utf-8").splitlines())
        except OSError:  # the root has none, and older kernels have another layout
            continue
        if limit != "max":
            free = min(free, int(limit) - used + int(stat.get("inactive_file", 0)))
    return max(0, free)
