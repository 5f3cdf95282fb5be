"""The frame of both trainers: what a run has written, and between two pieces of work a chance to save and to stop."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from echochamber.algorithms import PostTraining
from echochamber.errors import Interrupted, UserError
from echochamber.models.checkpoint import TrainingState
from echochamber.rl import audit
from echochamber.rl.columns import METRICS, PART, TIMINGS
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
        self.saved_step = self.step
        state.show(self.metrics, now=True)

    @property
    def step(self) -> int:
        """Steps that are done."""
        return len(self.metrics)

    def add(self, row: dict[str, float | None], timing: dict[str, float | None]) -> None:
        """The rows of one more step."""
        step = self.step + 1
        self.metrics.append({"step": step} | row)
        warning = {"audit_warning": audit.audit(self.metrics)}
        parts = {name: value for name, value in row.items() if name.startswith(PART)}
        self.metrics[-1] = {name: value for name, value in self.metrics[-1].items() if name not in parts}
        self.metrics[-1] |= warning | parts
        self.timings.append({"step": step} | timing)
        METRICS.check(self.metrics[-1], "metrics.csv")
        TIMINGS.check(self.timings[-1], "timings.csv")
        self.state.show(self.metrics)

    def breathe(self, where: str) -> None:
        """Save if it is time to, stop if asked to. When it saves changes no result.

        Raises:
            Interrupted: `stop()` turned true; everything is saved.
        """
        stopping = self.stop()
        if stopping or self.state.due():
            rows = {"metrics": self.metrics, "timings": self.timings}
            saved = {"trainer": self.trainer.state_dict(), "verifier": counters()} | rows
            self.state.save(saved, beside=not stopping)
            self.state.show(self.metrics, now=True)
            self.saved_step = self.step
        if stopping:
            raise Interrupted(where)

    def refuse_divergence(
        self, where: str, *, gradient_norm: float, kl: float, kept: Iterable[int], critic_norm: float = 0.0
    ) -> None:
        """Stop a run that has blown up, before anything of it is saved.

        Args:
            kl: nats per token from the base model, of the policy that this step began with: where it is too large,
                the checkpoint of the step before holds that policy and is not good either.
            kept: the steps whose checkpoints are kept.
            critic_norm: of the critic's gradient; a critic that is no number spoils the policy one step later.

        Raises:
            UserError: names the step and the last good checkpoint.
        """
        held = abs(kl) < DIVERGED_KL  # NaN compares false
        if held and math.isfinite(gradient_norm) and math.isfinite(critic_norm):
            return
        good = max((step for step in kept if step < self.step + held), default=0)
        critic = "" if math.isfinite(critic_norm) else f", {critic_norm:g} of the critic"
        base = "" if good else " (the base model)"
        raise UserError(
            f"{where}: found gradient norm {gradient_norm:g}{critic} and KL {kl:g} nats per token, allowed: finite, "
            f"and up to {DIVERGED_KL:g}; the last good checkpoint is that of step {good}{base}, the last saved state "
            f"that of step {self.saved_step}"
        )


def refuse_few_questions(settings: PostTraining, questions: Sequence[Any]) -> None:
    """Raises UserError if a step samples more prompts than there are: some would stand in it twice."""
    key, at_once = settings.prompts_at_once
    if at_once is not None and at_once > len(questions):
        raise UserError(f"{key}: found {at_once}, allowed: up to the {len(questions)} questions that there are")


def refuse_no_questions(questions: Sequence[Any]) -> None:
    """Raise UserError where there is nothing to sample."""
    if not questions:
        raise UserError("questions: found none, allowed: at least one")
