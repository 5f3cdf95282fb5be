"""PPO, GRPO, reinforce_baseline, rloo and dr_grpo: one trainer.

A step samples a rollout batch, judges it, turns rewards into advantages and makes a few updates. Different from the
textbook and from the code of the field:

- The log-probabilities when sampled ("old") are the trainer's own, made in the same micro-batches as the update: before
  the first update of a batch the ratio is exactly 1. Those of the first update are that update's, detached.
- Updates hold whole groups where sizes allow, so that a prompt is encoded once for its completions.
- A completion whose advantages are all zero costs no update where no KL in the loss needs it; the weights of the others
  count it.
- Nothing is drawn but from (seed, step): a run resumes from its step number, weights and optimisers alone.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from echochamber import device as devices
from echochamber.checkpoint import TrainingState
from echochamber.forward import LanguageModel, completion_logprobs
from echochamber.job import Progress
from echochamber.rl import advantages as adv
from echochamber.rl import losses, rollout, schedule
from echochamber.rl.critic import Critic
from echochamber.rl.optimizer import adamw
from echochamber.rl.rollout import Rollout
from echochamber.rl.run import Rows, Run
from echochamber.settings import PolicyGradient


def train(
    settings: PolicyGradient,
    model: PreTrainedModel,
    tokenizer: Any,
    questions: list[Any],
    *,
    seed: int,
    state: TrainingState,
    stop: Callable[[], bool],
    device: torch.device,
) -> tuple[Rows, Rows]:
    """Train `model`, which is the reference policy too, on the questions; keep its checkpoints in `state`.

    Args:
        model: the base model, in float32.
        questions: with `question` and `answer`.

    Returns:
        Rows of metrics.csv, one a rollout batch, about the policy that sampled it, and of timings.csv.

    Raises:
        Interrupted: `stop()` turned true; the state is saved.
        UserError: the loss is no longer finite, or the policy has diverged from the base model.
    """
    trainer = Trainer(settings, model, tokenizer, len(questions), seed, device)
    prompts = rollout.encode_questions(tokenizer, questions)
    kept = schedule.checkpoint_steps(settings, len(questions))
    total = schedule.total_steps(settings, len(questions))
    run = Run(trainer, state, stop)
    progress = Progress(total, "step", run.step, file=state.progress)
    for step in range(run.step + 1, total + 1):
        numbers = schedule.prompt_numbers(step - 1, settings.prompts_per_batch, len(questions), seed)
        row, timing = trainer.step(step, [prompts[n] for n in numbers], [questions[n].answer for n in numbers])
        drifted = row["kl"] / row["completion_tokens_mean"]
        run.refuse_divergence(f"step {step}", gradient_norm=row["gradient_norm"], kl=drifted, kept=kept)
        run.add(row, timing)
        speed = timing["tokens_per_second"]
        progress.update(step, **rollout.what_it_earns(row), kl=row["kl"], tokens_per_second=speed)
        if step in kept:
            state.keep(step, model, tokenizer)
        run.breathe(f"step {step} of {total}")
    return run.metrics, run.timings


@dataclass
class Batch:
    """A rollout batch as tensors, (completions, longest), 0 beyond `mask`."""

    mask: Tensor
    lengths: Tensor
    advantages: Tensor
    old: Tensor
    """Log-probabilities of the policy when it sampled."""
    reference: Tensor
    values: Tensor
    returns: Tensor


@dataclass
class Update:
    """One optimiser step: its rows of the batch, and those that are computed, in micro-batches."""

    rows: list[int]
    micros: list[list[int]]


@dataclass
class Sums:
    """Running sums of the diagnostics of a step's updates."""

    approx_kl: float = 0.0
    clipped: float = 0.0
    tokens: int = 0
    norms: list[float] = field(default_factory=list)

    def add(self, log_ratio: Tensor, mask: Tensor, clip: float) -> None:
        """Of one micro-batch: log-probability now minus when sampled, 0 beyond the mask."""
        self.approx_kl += float(losses.log_ratio_estimate(-log_ratio, "k3").sum())
        self.clipped += float(((log_ratio.exp() - 1).abs() > clip).sum())
        self.tokens += int(mask.sum())


class Trainer:
    """The policy, what it learns with, and one step of it."""

    def __init__(
        self,
        settings: PolicyGradient,
        model: PreTrainedModel,
        tokenizer: Any,
        n_prompts: int,
        seed: int,
        device: torch.device,
    ) -> None:
        self.settings, self.tokenizer, self.seed, self.device = settings, tokenizer, seed, device
        model.to(device).eval()
        self.policy = LanguageModel(model, recompute=settings.gradient_checkpointing)
        self.reference = LanguageModel(
            copy.deepcopy(model).requires_grad_(False), recompute=settings.gradient_checkpointing
        )
        self.pad = rollout.end_and_padding(tokenizer)[1]
        self.sequences = settings.prompts_per_batch * settings.samples_per_prompt
        self.updates_per_step = settings.update_passes * self.sequences // settings.update_batch
        self.total_updates = schedule.total_steps(settings, n_prompts) * self.updates_per_step
        self.optimizer = adamw(model.parameters(), settings, settings.learning_rate)
        self.critic = self.critic_optimizer = None
        if settings.kind == "ppo":
            self.critic = Critic(model, recompute=settings.gradient_checkpointing)
            self.critic_optimizer = adamw(self.critic.parameters(), settings, settings.critic_learning_rate)

    def state_dict(self) -> dict:
        saved = {"model": self.policy.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        if self.critic:
            saved |= {"critic": self.critic.state_dict(), "critic_optimizer": self.critic_optimizer.state_dict()}
        return saved

    def load_state_dict(self, saved: dict) -> None:
        self.policy.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        if self.critic:
            self.critic.load_state_dict(saved["critic"])
            self.critic_optimizer.load_state_dict(saved["critic_optimizer"])

    def step(self, step: int, prompts: list[list[int]], golds: list[str]) -> tuple[dict, dict]:
        """One rollout batch and its updates: the rows of metrics.csv and timings.csv without their step."""
        s = self.settings
        started = time.perf_counter()
        with devices.autocast(self.device, s.precision):
            drawn = rollout.collect(
                self.policy,
                self.tokenizer,
                prompts,
                golds,
                samples=s.samples_per_prompt,
                sampling=s.sampling,
                reward=s.reward,
                seed=self.seed,
                step=step,
            )
        row = self.learn(step, drawn)
        seconds = time.perf_counter() - started
        timing = {
            "seconds_generate": drawn.seconds_generate,
            "seconds_verify": drawn.seconds_verify,
            "seconds_update": seconds - drawn.seconds_generate - drawn.seconds_verify,
            "tokens_per_second": drawn.tokens / seconds,
            "mfu": None,
            "peak_bytes": devices.peak_bytes(self.device),
        }
        return row, timing

    def learn(self, step: int, drawn: Rollout) -> dict[str, float | None]:
        """The updates on a rollout batch, and the metrics of the step."""
        s = self.settings
        batch = self._empty_batch(drawn)
        needs_all = s.kind == "ppo" or s.kl.place != "none"
        if not needs_all:
            batch.advantages = self._group_advantages(drawn, batch)
        active = torch.ones_like(batch.lengths, dtype=torch.bool) if needs_all else (batch.advantages != 0).any(1)
        plan = self._plan(step, 0, batch, active)
        self._reference_logprobs(drawn, batch, plan, active)
        self._old_logprobs(drawn, batch, plan if s.kl.place == "reward" else plan[1:])
        explained = None
        if self.critic:
            explained = self._critic_advantages(drawn, batch, plan)
        elif needs_all:
            batch.advantages = self._group_advantages(drawn, batch)

        sums = Sums()
        for number in range(s.update_passes):
            for update in plan if number == 0 else self._plan(step, number, batch, active):
                self._update(update, drawn, batch, step, sums)
        sampled = torch.tensor([float(logprobs.sum()) for logprobs in drawn.logprobs])
        return rollout.metrics_row(
            completions_sampled=step * self.sequences,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            kl=float((sampled - batch.reference.sum(1).cpu()).mean()),
            approx_kl=sums.approx_kl / max(sums.tokens, 1),
            clip_fraction=sums.clipped / max(sums.tokens, 1),
            explained_variance=explained,
            gradient_norm=sum(sums.norms) / len(sums.norms),
            **rollout.describe(rollout.tally(drawn)),
        )

    def _empty_batch(self, drawn: Rollout) -> Batch:
        lengths = torch.tensor([len(ids) for ids in drawn.completions], device=self.device)
        mask = torch.arange(int(lengths.max()), device=self.device) < lengths[:, None]
        empty = [torch.zeros(mask.shape, device=self.device) for _ in range(5)]
        return Batch(mask, lengths, *empty)

    def _plan(self, step: int, number: int, batch: Batch, active: Tensor) -> list[Update]:
        """The updates of pass `number`: whole groups in random order; in an update, completions by length."""
        s = self.settings
        order = torch.randperm(s.prompts_per_batch, generator=rollout.random_stream(self.seed, "order", step, number))
        rows = [
            group * s.samples_per_prompt + sample for group in order.tolist() for sample in range(s.samples_per_prompt)
        ]
        lengths, wanted = batch.lengths.tolist(), active.tolist()
        plan = []
        for begin in range(0, len(rows), s.update_batch):
            chosen = rows[begin : begin + s.update_batch]
            plan.append(Update(chosen, self._micro_batches([row for row in chosen if wanted[row]], lengths)))
        return plan

    def _micro_batches(self, rows: list[int], lengths: list[int]) -> list[list[int]]:
        rows = sorted(rows, key=lambda row: lengths[row])
        size = self.settings.micro_batch
        return [rows[begin : begin + size] for begin in range(0, len(rows), size)]

    def _logprobs(self, model: LanguageModel, drawn: Rollout, rows: list[int]) -> tuple[Tensor, Tensor]:
        with devices.autocast(self.device, self.settings.precision):
            return completion_logprobs(
                model,
                [drawn.prompts[row] for row in rows],
                [drawn.completions[row] for row in rows],
                pad=self.pad,
                temperature=self.settings.sampling.temperature,
            )

    def _values(self, drawn: Rollout, rows: list[int]) -> Tensor:
        with devices.autocast(self.device, self.settings.precision):
            return self.critic.values(
                [drawn.prompts[row] for row in rows], [drawn.completions[row] for row in rows], self.pad
            )

    @torch.no_grad()
    def _reference_logprobs(self, drawn: Rollout, batch: Batch, plan: list[Update], active: Tensor) -> None:
        """Of all completions: the KL of metrics.csv needs them even where no penalty does."""
        silent = (~active).nonzero()[:, 0].tolist()
        micros = [micro for update in plan for micro in update.micros]
        for rows in micros + self._micro_batches(silent, batch.lengths.tolist()):
            logprobs, _ = self._logprobs(self.reference, drawn, rows)
            batch.reference[rows, : logprobs.shape[1]] = logprobs

    @torch.no_grad()
    def _old_logprobs(self, drawn: Rollout, batch: Batch, updates: list[Update]) -> None:
        for update in updates:
            for rows in update.micros:
                logprobs, _ = self._logprobs(self.policy, drawn, rows)
                batch.old[rows, : logprobs.shape[1]] = logprobs

    def _kl_rewards(self, batch: Batch) -> Tensor:
        if self.settings.kl.place != "reward":
            return torch.zeros_like(batch.old)
        return -self.settings.kl.coefficient * (batch.old - batch.reference)

    def _group_advantages(self, drawn: Rollout, batch: Batch) -> Tensor:
        s = self.settings
        return adv.token_advantages(
            s.kind,
            drawn.scores.to(self.device),
            self._kl_rewards(batch),
            batch.mask,
            level=s.kl.level,
            epsilon=s.advantage_epsilon,
        )

    @torch.no_grad()
    def _critic_advantages(self, drawn: Rollout, batch: Batch, plan: list[Update]) -> float | None:
        """PPO's advantages and returns; gives the explained variance of the critic that was used."""
        s = self.settings
        for update in plan:
            for rows in update.micros:
                values = self._values(drawn, rows)
                batch.values[rows, : values.shape[1]] = values
        rewards = adv.terminal_rewards(
            drawn.scores.to(self.device).flatten(), self._kl_rewards(batch), batch.mask, s.kl.level
        )
        advantages, batch.returns = adv.gae(rewards, batch.values, batch.mask, gamma=s.gamma, lam=s.gae_lambda)
        batch.advantages = adv.whiten(advantages, batch.mask)
        returns, errors = batch.returns[batch.mask], (batch.returns - batch.values)[batch.mask]
        return float(1 - errors.var() / returns.var()) if returns.var() > 0 else None

    def _update(self, update: Update, drawn: Rollout, batch: Batch, step: int, sums: Sums) -> None:
        """One optimiser step. Adds its diagnostics to `sums`."""
        s = self.settings
        done = (step - 1) * self.updates_per_step + len(sums.norms)
        weights = torch.zeros(len(batch.lengths), device=self.device)
        weights[update.rows] = losses.sequence_weights(
            batch.lengths[update.rows], s.reduction, max_tokens=s.sampling.max_new_tokens
        )
        self._set_learning_rates(done)
        for rows in update.micros:
            logprobs, mask = self._logprobs(self.policy, drawn, rows)
            inside = rows, slice(0, mask.shape[1])
            if not sums.norms and s.kl.place != "reward":  # nothing has moved since the batch was sampled
                batch.old[inside] = logprobs.detach()
            log_ratio = torch.where(mask, logprobs - batch.old[inside], 0.0)
            per_token = losses.policy_loss(log_ratio, batch.advantages[inside], clip=s.clip)
            if s.kl.place == "loss":
                penalty = losses.kl_loss(
                    logprobs, batch.reference[inside], mask, estimator=s.kl.estimator, level=s.kl.level
                )
                per_token = per_token + s.kl.coefficient * penalty
            losses.weighted_sum(per_token, mask, weights[rows]).backward()
            sums.add(log_ratio.detach(), mask, s.clip)
            if self.critic:
                values = self._values(drawn, rows)
                errors = losses.value_loss(values, batch.values[inside], batch.returns[inside], clip=s.value_clip)
                (s.value_coefficient * losses.weighted_sum(errors, mask, weights[rows])).backward()
        sums.norms.append(self._step(self.optimizer))
        if self.critic:
            self._step(self.critic_optimizer)

    def _set_learning_rates(self, done: int) -> None:
        s = self.settings
        factor = schedule.learning_rate(1.0, done, self.total_updates, warmup=s.warmup, final=s.final_learning_rate)
        for group in self.optimizer.param_groups:
            group["lr"] = s.learning_rate * factor
        for group in self.critic_optimizer.param_groups if self.critic else ():
            group["lr"] = s.critic_learning_rate * factor

    def _step(self, optimizer: torch.optim.Optimizer) -> float:
        """Clip, step, forget; gives the norm before clipping."""
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        for weight in weights:  # an update whose completions are all silent has a gradient, and it is zero
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
        norm = torch.nn.utils.clip_grad_norm_(weights, self.settings.gradient_clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(norm)
