"""One step of RL from top to bottom, and the trainer of PPO, GRPO and their relatives that makes it.

`Trainer.step`, in the order of this file:

1. rollout: the policy writes a few completions of each prompt (`rollout.collect`);
2. reward: the verifier judges each, and a rule says what it earns (there too);
3. advantages: what each token is worth, from the rewards of its group or by a critic (`echochamber.algorithms`);
4. loss: the surrogate of the algorithm, and the KL penalty where it is one of the loss;
5. update: the gradient of a batch of completions, made in micro-batches, clipped, and a step of AdamW.

Different from the textbook and from the code of the field:

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
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from echochamber.algorithms import losses
from echochamber.models import adapters
from echochamber.models import device as devices
from echochamber.models.forward import LanguageModel, completion_logprobs
from echochamber.models.packed import balanced, tokens_at_once, worth_compiling
from echochamber.rl import rollout, schedule
from echochamber.rl.batch import Batch, Sums, Update, micro_batches, updates
from echochamber.rl.columns import metrics_row
from echochamber.rl.critic import Critic
from echochamber.rl.mismatch import Mismatch
from echochamber.rl.optimizer import adamw, clipped_step
from echochamber.rl.rollout import Rollout, Sampled
from echochamber.sampling.draw import random_stream
from echochamber.sampling.prompts import end_and_padding
from echochamber.settings import PolicyGradient

Split = Callable[[list[int]], list[list[int]]]
"""Rows of a batch -> micro-batches."""


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
        model.to(device).eval()  # type: ignore[arg-type]  # transformers wraps it without its own argument
        adapters.add(model, settings.lora, seed)
        self.sequences = settings.prompts_per_batch * settings.samples_per_prompt
        drawn = schedule.total_steps(settings, n_prompts) * self.sequences * settings.sampling.max_new_tokens
        how = {
            "recompute": settings.gradient_checkpointing,
            "compile": device.type == "cuda" and worth_compiling(model, drawn),
        }
        self.policy = LanguageModel(model, **how)
        self.reference = LanguageModel(copy.deepcopy(model).requires_grad_(False), **how)
        with devices.autocast(device, settings.precision):
            self.packs = self.policy.packs
        self.tokens_at_once = 0
        """Of a micro-batch without padding; chosen from the free memory when the first is made."""
        self.pad = end_and_padding(tokenizer)[1]
        self.updates_per_step = settings.update_passes * self.sequences // settings.update_batch
        self.total_updates = schedule.total_steps(settings, n_prompts) * self.updates_per_step
        self.optimizer = adamw(model.parameters(), settings, settings.learning_rate)
        self.extra = 0
        """Completions sampled so far beyond one batch a step."""
        self.critic: Critic | None = None
        self.critic_optimizer: torch.optim.Optimizer | None = None
        self.critic_norm = 0.0
        """Sum of the norms of the critic's gradients in the last step, before clipping: finite if all of them were."""
        if settings.critic:
            self.critic = Critic(model, **how)
            self.critic_optimizer = adamw(self.critic.parameters(), settings, settings.critic_learning_rate)

    def state_dict(self) -> dict[str, Any]:
        saved: dict[str, Any] = {"model": self.policy.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        saved["extra"] = self.extra
        if self.critic and self.critic_optimizer:
            saved |= {"critic": self.critic.state_dict(), "critic_optimizer": self.critic_optimizer.state_dict()}
        return saved

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        self.policy.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.extra = saved.get("extra", 0)  # states from before dynamic sampling have none
        if self.critic and self.critic_optimizer:
            self.critic.load_state_dict(saved["critic"])
            self.critic_optimizer.load_state_dict(saved["critic_optimizer"])

    def step(
        self,
        step: int,
        prompts: list[list[int]],
        questions: list[Any],
        stop: Callable[[], bool] | None = None,
        more: Callable[[int], tuple[list[list[int]], list[Any]]] | None = None,
    ) -> tuple[dict[str, float | None], dict[str, float | None]]:
        """One whole step of RL: the rows of metrics.csv and timings.csv without their step.

        Args:
            prompts, questions: of the rollout batch.
            more: gives the prompts and questions of its first, second, ... further batch, for algorithms that may
                sample more than one (`PolicyGradient.groups`).

        Raises Interrupted, with nothing changed, if `stop()` turned true before the updates.
        """
        started = time.perf_counter()
        # 1 and 2: completions of the prompts, and the reward of each
        drawn, sampled = self._roll_out(step, prompts, questions, stop, more)
        # 3 to 5: advantages, loss, updates
        row = self.learn(step, drawn, sampled)
        seconds, generating, verifying = time.perf_counter() - started, *sampled.seconds
        timing = {
            "seconds_generate": generating,
            "seconds_verify": verifying,
            "seconds_update": seconds - generating - verifying,
            "tokens_per_second": sampled.sums["tokens"] / seconds,
            "mfu": None,
            "peak_bytes": devices.peak_bytes(self.device),
        }
        return row, timing

    def learn(self, step: int, drawn: Rollout, sampled: Sampled | None = None) -> dict[str, float | None]:
        """The updates on a rollout batch, and the metrics of the step.

        Args:
            sampled: all that the step has sampled, where that is more than the batch.
        """
        s = self.settings
        sampled = sampled or Sampled.of([drawn])
        batch = Batch.empty(drawn, self.device, finished_only=s.truncated == "mask")

        # 3. What each token is worth. Without a KL, groups whose rewards agree are worth nothing and cost nothing.
        needs_all = s.critic or s.kl.place != "none"
        if not needs_all:
            batch.advantages = self._group_advantages(drawn, batch)
        active = batch.mask.any(1) if needs_all else (batch.advantages != 0).any(1)
        split = self._split(drawn, batch)
        plan = self._plan(step, 0, active, split)
        measured = self._measured(step, len(batch.lengths))
        silent = split((~active).nonzero()[:, 0].tolist())
        micros = split(measured) if measured else [micro for update in plan for micro in update.micros] + silent
        self._reference_logprobs(drawn, batch, micros)
        self._old_logprobs(drawn, batch, plan if s.kl.place == "reward" else plan[1:])
        explained = None
        if self.critic:
            explained = self._critic_advantages(self.critic, drawn, batch, plan)
        elif needs_all:
            batch.advantages = self._group_advantages(drawn, batch)

        # 4 and 5. The loss of each update batch, and the optimiser's step down its gradient.
        sums, self.critic_norm = Sums(), 0.0
        for number in range(s.update_passes):
            for update in plan if number == 0 else self._plan(step, number, active, split):
                self._update(update, drawn, batch, step, sums)

        self.extra += int(sampled.sums["completions"]) - self.sequences
        return self._metrics(step, drawn, batch, active, measured, sums, sampled, explained)

    # --- 1 and 2: rollout and reward ---------------------------------------------------------------------------------

    def _roll_out(
        self,
        step: int,
        prompts: list[list[int]],
        questions: list[Any],
        stop: Callable[[], bool] | None,
        more: Callable[[int], tuple[list[list[int]], list[Any]]] | None,
    ) -> tuple[Rollout, Sampled]:
        """The completions that the step learns from, with their rewards, and what was sampled to get them."""
        s = self.settings
        batches: list[Rollout] = []
        while True:
            again = len(batches)
            if again:
                prompts, questions = more(again) if more else (prompts, questions)
            with devices.autocast(self.device, s.precision):
                drawn = rollout.collect(
                    self.policy,
                    self.tokenizer,
                    prompts,
                    questions,
                    samples=s.samples_per_prompt,
                    sampling=s.sampling,
                    reward=s.reward,
                    truncated=s.verdict_truncated,
                    overlong=s.overlong,
                    seed=self.seed,
                    step=f"{step}/{again}" if again else step,
                    stop=stop,
                )
            batches.append(drawn)
            groups = s.groups(torch.cat([self._unpenalised(batch) for batch in batches]), len(batches))
            if groups is not None:
                full_rollout = batches[0] if len(batches) == 1 else rollout.join(batches)
                chosen = (
                    full_rollout if len(groups) == len(full_rollout.scores) else rollout.select(full_rollout, groups)
                )
                return chosen, Sampled.of(batches)

    def _unpenalised(self, drawn: Rollout) -> Tensor:
        """Rewards without the penalty of overlong completions, but for rounding: groups that differ in it alone teach
        nothing of answers."""
        if self.settings.overlong is None:
            return drawn.scores
        return (drawn.scores - drawn.parts["overlong"]).round(decimals=4)

    # --- 3: what each token is worth ---------------------------------------------------------------------------------

    def _split(self, drawn: Rollout, batch: Batch) -> Split:
        """How rows become micro-batches: so many completions, or as many as memory has room for without padding."""
        if not self.packs:
            return partial(micro_batches, lengths=batch.tokens.sum(1).tolist(), size=self.settings.micro_batch)
        if not self.tokens_at_once:
            self.tokens_at_once = tokens_at_once(self.policy.config, devices.memory_bytes(self.device)[0])
        tokens = [len(p) + len(c) for p, c in zip(drawn.prompts, drawn.completions, strict=True)]
        return partial(balanced, tokens=tokens, limit=self.tokens_at_once)

    def _plan(self, step: int, number: int, active: Tensor, split: Split) -> list[Update]:
        """The updates of pass `number`."""
        return updates(self.settings, active.tolist(), random_stream(self.seed, "order", step, number), split)

    def _measured(self, step: int, completions: int) -> list[int] | None:
        """The completions whose KL is measured, where it is logged alone and of some; None: all."""
        share = self.settings.kl.logged_on
        if share == 1:
            return None
        order = torch.randperm(completions, generator=random_stream(self.seed, "kl", step))
        return sorted(order[: max(1, round(share * completions))].tolist())

    @torch.no_grad()
    def _reference_logprobs(self, drawn: Rollout, batch: Batch, micros: list[list[int]]) -> None:
        """Of completions that nothing is learned from, too: the KL of metrics.csv is of them where no penalty is."""
        for rows in micros:
            logprobs, _ = self._logprobs(self.reference, drawn, rows)
            batch.reference[rows, : logprobs.shape[1]] = logprobs

    def _old_logprobs(self, drawn: Rollout, batch: Batch, updates: list[Update]) -> None:
        """By the kernels of the update itself: compiled without a gradient they might round otherwise."""
        with torch.set_grad_enabled(self.packs and self.policy.compile):
            for update in updates:
                for rows in update.micros:
                    logprobs, _ = self._logprobs(self.policy, drawn, rows)
                    batch.old[rows, : logprobs.shape[1]] = logprobs.detach()

    def _kl_rewards(self, batch: Batch) -> Tensor:
        if self.settings.kl.place != "reward":
            return torch.zeros_like(batch.old)
        return -self.settings.kl.coefficient * (batch.old - batch.reference)

    def _group_advantages(self, drawn: Rollout, batch: Batch) -> Tensor:
        return self.settings.advantages(drawn.scores.to(self.device), self._kl_rewards(batch), batch.mask)

    @torch.no_grad()
    def _critic_advantages(self, critic: Critic, drawn: Rollout, batch: Batch, plan: list[Update]) -> float | None:
        """Advantages and returns by the critic; gives the explained variance of the one that was used."""
        for update in plan:
            for rows in update.micros:
                values = self._values(critic, drawn, rows)
                batch.values[rows, : values.shape[1]] = values
        batch.advantages, batch.returns = self.settings.advantages_and_returns(
            drawn.scores.to(self.device), self._kl_rewards(batch), batch.mask, batch.values
        )
        returns, errors = batch.returns[batch.mask], (batch.returns - batch.values)[batch.mask]
        return float(1 - errors.var() / returns.var()) if returns.var() > 0 else None

    # --- 4 and 5: loss and update ------------------------------------------------------------------------------------

    def _update(self, update: Update, drawn: Rollout, batch: Batch, step: int, sums: Sums) -> None:
        """One optimiser step. Adds its diagnostics to `sums`."""
        s, critic = self.settings, self.critic
        done = (step - 1) * self.updates_per_step + len(sums.norms)
        weights = torch.zeros(len(batch.lengths), device=self.device)
        weights[update.rows] = losses.sequence_weights(
            batch.lengths[update.rows], s.reduction, max_tokens=s.sampling.max_new_tokens, mean_of=s.mean_of
        )
        factor = schedule.learning_rate(1.0, done, self.total_updates, warmup=s.warmup, final=s.final_learning_rate)
        self._set_learning_rates(factor)
        for rows in update.micros:
            logprobs, _ = self._logprobs(self.policy, drawn, rows)
            inside = rows, slice(0, logprobs.shape[1])
            mask = batch.mask[inside]
            if not sums.norms and s.kl.place != "reward":  # nothing has moved since the batch was sampled
                batch.old[inside] = logprobs.detach()
            log_ratio = torch.where(mask, logprobs - batch.old[inside], 0.0)
            per_token = s.policy_loss(logprobs, log_ratio, batch.advantages[inside], mask)
            if s.kl.place == "loss":
                penalty = losses.kl_loss(
                    logprobs, batch.reference[inside], mask, estimator=s.kl.estimator, level=s.kl.level
                )
                per_token = per_token + s.kl.coefficient * penalty
            losses.weighted_sum(per_token, mask, weights[rows]).backward()
            sums.add(log_ratio.detach(), mask, s.clipped(log_ratio.detach(), mask))
            if critic:
                values = self._values(critic, drawn, rows)
                errors = losses.value_loss(values, batch.values[inside], batch.returns[inside], clip=s.value_clip)
                (s.value_coefficient * losses.weighted_sum(errors, mask, weights[rows])).backward()
        sums.norms.append(self._step(self.optimizer))
        if self.critic_optimizer:
            self.critic_norm += self._step(self.critic_optimizer)

    def _set_learning_rates(self, factor: float) -> None:
        s = self.settings
        for group in self.optimizer.param_groups:
            group["lr"] = s.learning_rate * factor
        for group in self.critic_optimizer.param_groups if self.critic_optimizer else ():
            group["lr"] = s.critic_learning_rate * factor

    def _step(self, optimizer: torch.optim.Optimizer) -> float:
        return clipped_step(optimizer, self.settings.gradient_clip)

    # --- forward passes and metrics ----------------------------------------------------------------------------------

    def _logprobs(self, model: LanguageModel, drawn: Rollout, rows: list[int]) -> tuple[Tensor, Tensor]:
        with devices.autocast(self.device, self.settings.precision):
            return completion_logprobs(
                model, *self._sequences(drawn, rows), pad=self.pad, temperature=self.settings.sampling.temperature
            )

    def _values(self, critic: Critic, drawn: Rollout, rows: list[int]) -> Tensor:
        with devices.autocast(self.device, self.settings.precision):
            return critic.values(*self._sequences(drawn, rows), self.pad)

    def _sequences(self, drawn: Rollout, rows: list[int]) -> tuple[list[Any], list[Any]]:
        """Prompts and completions."""
        if self.packs:
            return [drawn.arrays[row][0] for row in rows], [drawn.arrays[row][1] for row in rows]
        return [drawn.prompts[row] for row in rows], [drawn.completions[row] for row in rows]

    def _metrics(
        self,
        step: int,
        drawn: Rollout,
        batch: Batch,
        active: Tensor,
        measured: list[int] | None,
        sums: Sums,
        sampled: Sampled,
        explained: float | None,
    ) -> dict[str, float | None]:
        mismatch = Mismatch()  # of the rows whose "old" log-probabilities were made, from which the ratios start
        computed = active.nonzero()[:, 0].tolist()
        mismatch.add([drawn.logprobs[row] for row in computed], batch.old[computed], batch.drawn[computed])
        ratios = torch.tensor([float(logprobs.sum()) for logprobs in drawn.logprobs])
        ratios -= batch.reference.where(batch.drawn, 0.0).sum(1).cpu()
        return metrics_row(
            completions_sampled=step * self.sequences + self.extra,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            kl=float((ratios if measured is None else ratios[measured]).mean()),
            approx_kl=sums.approx_kl / max(sums.tokens, 1),
            clip_fraction=sums.clipped / max(sums.tokens, 1),
            explained_variance=explained,
            gradient_norm=sum(sums.norms) / len(sums.norms),
            **mismatch.columns(),
            **rollout.describe(sampled.sums),
        )
