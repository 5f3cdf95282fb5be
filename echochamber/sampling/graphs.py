"""Recordings of steps that are run many times: CUDA graphs."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Hashable

import torch

log = logging.getLogger(__name__)


class Graphs:
    """Runs a step as it is the first time, and from a recording of its shape from then on.

    Where recording fails nothing is lost: recording a step does not run it.
    """

    def __init__(self, device: torch.device) -> None:
        self.possible = device.type == "cuda"
        self.recordings: dict[Hashable, torch.cuda.CUDAGraph] = {}

    def run(self, shape: Hashable, step: Callable[[], None]) -> None:
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
