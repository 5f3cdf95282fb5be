"""The frame of both trainers: what a run has written, and between two pieces of work a chance to save and to stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from echochamber.checkpoint import SECONDS_BETWEEN_SAVES, TrainingState
from echochamber.job import Interrupted, UserError
from echochamber.verify import counters, restore_counters

Rows = list[dict[str, float | None]]

DIVERGED_KL = 10.0
"""Nats per token from the base model: far beyond any policy that still writes text."""


class Resumable(Protocol):
    """A trainer: everything that it must not lose is in its state."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, saved: dict[str, Any]) -> None: ...


class Run:
    """A run that goes on from where `state` was saved, with the rows of metrics.csv and timings.csv so far."""

    def __init__(self, trainer: Resumable, state: TrainingState, stop: Callable[[], bool]) -> None:
        self.trainer, self.state, self.stop = trainer, state, stop
        self.metrics: Rows = []
        self.timings: Rows = []
        if saved := state.load():
            trainer.load_state_dict(saved["trainer"])
            self.metrics, self.timings = saved["metrics"], saved["timings"]
            restore_counters(saved["verifier"])
        self.last_save, self.saved_step = time.monotonic(), self.step

    @property
    def step(self) -> int:
        """Steps that are done."""
        return len(self.metrics)

    def add(self, row: dict[str, float | None], timing: dict[str, float | None]) -> None:
        """The rows of one more step."""
        step = self.step + 1
        self.metrics.append({"step": step} | row)
        self.timings.append({"step": step} | timing)

    def breathe(self, where: str) -> None:
        """Save if it is time to, stop if asked to. When it saves changes no result.

        Raises:
            Interrupted: `stop()` turned true; everything is saved.
        """
        stopping = self.stop()
        if stopping or time.monotonic() - self.last_save > SECONDS_BETWEEN_SAVES:
            rows = {"metrics": self.metrics, "timings": self.timings}
            self.state.save({"trainer": self.trainer.state_dict(), "verifier": counters()} | rows)
            self.last_save, self.saved_step = time.monotonic(), self.step
        if stopping:
            raise Interrupted(where)

    def refuse_divergence(self, where: str, *, gradient_norm: float, kl: float, kept: Iterable[int]) -> None:
        """Stop a run that has blown up, before anything of it is saved.

        Args:
            kl: nats per token from the base model, of the policy that this step began with: where it is too large,
                the checkpoint of the step before holds that policy and is not good either.
            kept: the steps whose checkpoints are kept.

        Raises:
            UserError: names the step and the last good checkpoint.
        """
        held = abs(kl) < DIVERGED_KL  # NaN compares false
        if held and math.isfinite(gradient_norm):
            return
        good = max((step for step in kept if step < self.step + held), default=0)
        raise UserError(
            f"{where}: found gradient norm {gradient_norm:g} and KL {kl:g} nats per token, allowed: finite, and up to "
            f"{DIVERGED_KL:g}; the last good checkpoint is that of step {good}{' (the base model)' if not good else ''}"
            f", the last saved state that of step {self.saved_step}"
        )
