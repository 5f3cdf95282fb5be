"""Expert Iteration: sample, keep what is right, fine-tune, repeat (Anthony et al. 2017; the paper, section "RL").

Different from the textbook: an iteration can be interrupted between any two batches of samples or two updates, and
goes on with the same numbers; everything drawn comes from (seed, iteration, place).
"""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, field
from typing import Any

import torch
from transformers import PreTrainedModel

from echochamber.algorithms import losses
from echochamber.errors import Interrupted
from echochamber.jobs.job import Progress
from echochamber.models import adapters
from echochamber.models import device as devices
from echochamber.models.checkpoint import TrainingState
from echochamber.models.forward import LanguageModel, completion_logprobs
from echochamber.rl import rollout, schedule
from echochamber.rl.columns import metrics_row
from echochamber.rl.mismatch import Mismatch, warn_if_parted
from echochamber.rl.optimizer import adamw
from echochamber.rl.rewards import refuse_golds
from echochamber.rl.rollout import Tally
from echochamber.rl.run import Rows, Run, refuse_no_questions
from echochamber.sampling.draw import random_stream
from echochamber.sampling.prompts import encode_questions, end_and_padding
from echochamber.settings import ExpertIteration, PromptForm

COMPLETIONS_AT_ONCE = 1024
"""Completions between two chances to save."""

log = logging.getLogger(__name__)


def train(
    settings: ExpertIteration,
    model: PreTrainedModel,
    tokenizer: Any,
    questions: list[Any],
    *,
    seed: int,
    state: TrainingState,
    stop: Callable[[], bool],
    device: torch.device,
    form: PromptForm | None = None,
) -> tuple[Rows, Rows]:
    """Train `model` on its own right completions of the questions; keep the model of every iteration in `state`.

    Args:
        model: the base model, in float32.
        questions: with `question`, `answer` and `graph`.
        form: how a question stands in a prompt; examples in it are the first of the other questions.

    Returns:
        Rows of metrics.csv, one an iteration, about the policy that sampled it (`kl` from one completion a prompt;
        `learning_rate` is the peak), and of timings.csv.

    Raises:
        Interrupted: `stop()` turned true; the state is saved.
        UserError: there are no questions, a gold is none that the reward can use, a reward or an update is not finite,
            or the policy has diverged from the base model.
    """
    refuse_no_questions(questions)
    refuse_golds(settings.reward, questions)
    trainer = Trainer(settings, model, tokenizer, questions, seed, device, form)
    run = Run(trainer, state, stop)
    progress = Progress(settings.iterations, "iteration", run.step, file=state.progress)
    while run.step < settings.iterations:
        iteration = run.step + 1
        where = f"iteration {iteration} of {settings.iterations}"
        kept = range(1, iteration)
        try:
            for done in trainer.sample(stop):
                run.refuse_divergence(where, gradient_norm=0.0, kl=trainer.kl_per_token(), kept=kept)
                progress.update(run.step + 0.5 * done)
                run.breathe(where)
        except Interrupted:  # of a chunk that is sampled again, if `breathe` has not saved yet
            run.breathe(where)
            raise
        for done in trainer.fine_tune():
            run.refuse_divergence(where, gradient_norm=trainer.gradient_norm, kl=trainer.kl_per_token(), kept=kept)
            progress.update(run.step + 0.5 + 0.5 * done)
            run.breathe(where)
        run.add(*trainer.finish_iteration())
        warn_if_parted(run.metrics, settings.precision)
        progress.update(run.step, **rollout.what_it_earns(run.metrics[-1]))
        state.keep(iteration, model, tokenizer)
        run.breathe(where)
    return run.metrics, run.timings


@dataclass
class Place:
    """How far a run has come, and what it has gathered in this iteration."""

    iteration: int = 1
    chunk: int = 0
    """Batches of prompts that are sampled."""
    update: int = 0
    """Updates that are done."""
    completions_sampled: int = 0
    sums: Tally = field(default_factory=Tally)
    """`rollout.tally`, and of one completion a prompt: `kl_sum`, `kl_completions`; of the updates: `norm`."""
    kept: list[tuple[int, list[int]]] = field(default_factory=list)
    """What is trained on: number of the question and token ids of the completion."""
    seconds: Tally = field(default_factory=Tally)
    mismatch: Mismatch = field(default_factory=Mismatch)
    """Of the sampler and the trainer, on a few completions of each chunk."""


class Trainer:
    """The policy and the place that it has reached; `sample` and `fine_tune` go on from there."""

    def __init__(
        self,
        settings: ExpertIteration,
        model: PreTrainedModel,
        tokenizer: Any,
        questions: list[Any],
        seed: int,
        device: torch.device,
        form: PromptForm | None = None,
    ) -> None:
        self.settings, self.tokenizer, self.seed, self.device = settings, tokenizer, seed, device
        model.to(device).eval()  # type: ignore[arg-type]  # transformers wraps it without its own argument
        adapters.add(model, settings.lora, seed)
        self.policy = LanguageModel(model, recompute=settings.gradient_checkpointing)
        self.base = LanguageModel(copy.deepcopy(model).requires_grad_(False))
        self.pad = end_and_padding(tokenizer)[1]
        self.prompts = encode_questions(tokenizer, questions, form, examples=questions)
        self.questions = questions
        self.optimizer: torch.optim.Optimizer | None = None
        self.gradient_norm = 0.0
        self.at = Place()

    def state_dict(self) -> dict[str, Any]:
        at = self.at
        return {
            "model": self.policy.model.state_dict(),
            "optimizer": self.optimizer.state_dict() if self.optimizer else None,
            "place": [at.iteration, at.chunk, at.update, at.completions_sampled],
            "sums": dict(at.sums),
            "seconds": dict(at.seconds),
            "mismatch": list(astuple(at.mismatch)),
            "kept_questions": torch.tensor([number for number, _ in at.kept], dtype=torch.int32),
            "kept_lengths": torch.tensor([len(ids) for _, ids in at.kept], dtype=torch.int32),
            "kept_tokens": torch.tensor([token for _, ids in at.kept for token in ids], dtype=torch.int32),
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        self.policy.model.load_state_dict(saved["model"])
        rows = saved["kept_tokens"].split(saved["kept_lengths"].tolist())
        kept = list(zip(saved["kept_questions"].tolist(), [row.tolist() for row in rows], strict=True))
        iteration, chunk, update, completions_sampled = saved["place"]
        self.at = Place(
            iteration=iteration,
            chunk=chunk,
            update=update,
            completions_sampled=completions_sampled,
            sums=Tally(saved["sums"]),
            kept=kept,
            seconds=Tally(saved["seconds"]),
            mismatch=Mismatch(*saved["mismatch"]),
        )
        if saved["optimizer"]:
            self.optimizer = adamw(self.policy.model.parameters(), self.settings, self.settings.learning_rate)
            self.optimizer.load_state_dict(saved["optimizer"])

    def sample(self, stop: Callable[[], bool] | None = None) -> Iterator[float]:
        """Sample this iteration's prompts, a chunk at a time; yields the share that is done.

        Raises Interrupted, with that chunk not begun, if `stop()` turned true.
        """
        s, at = self.settings, self.at
        size = s.prompts_per_iteration or len(self.prompts)
        numbers = schedule.prompt_numbers(at.iteration - 1, size, len(self.prompts), self.seed)
        per_chunk = max(1, COMPLETIONS_AT_ONCE // s.samples_per_prompt)
        chunks = [numbers[begin : begin + per_chunk] for begin in range(0, size, per_chunk)]
        while at.chunk < len(chunks):
            self._sample_chunk(chunks[at.chunk], stop)
            at.chunk += 1
            yield at.chunk / len(chunks)

    def _sample_chunk(self, numbers: list[int], stop: Callable[[], bool] | None) -> None:
        s, at = self.settings, self.at
        started = time.perf_counter()
        with devices.autocast(self.device, s.precision):
            drawn = rollout.collect(
                self.policy,
                self.tokenizer,
                [self.prompts[number] for number in numbers],
                [self.questions[number] for number in numbers],
                samples=s.samples_per_prompt,
                sampling=s.sampling,
                reward=s.reward,
                truncated=s.verdict_truncated,
                overlong=s.overlong,
                seed=self.seed,
                step=f"{at.iteration}/{at.chunk}",
                stop=stop,
            )
        at.sums.add(rollout.tally(drawn))
        at.completions_sampled += len(drawn.completions)
        first = range(0, len(drawn.completions), s.samples_per_prompt)
        at.sums["kl_completions"] += len(first)
        at.sums["kl_sum"] += self._kl(drawn, list(first))
        self._add_mismatch(drawn, list(first)[: s.micro_batch])
        learned = drawn.scores
        if s.truncated == "mask":
            learned = learned * torch.tensor(drawn.finished).view(learned.shape)
        scores = learned.tolist()
        for group, number in enumerate(numbers):
            completions = drawn.completions[group * s.samples_per_prompt : (group + 1) * s.samples_per_prompt]
            at.kept += [(number, ids) for ids in keep(completions, scores[group], drop_duplicates=s.drop_duplicates)]
        seconds = time.perf_counter() - started - drawn.seconds_generate - drawn.seconds_verify
        at.seconds.add({"generate": drawn.seconds_generate, "verify": drawn.seconds_verify, "update": seconds})

    @torch.no_grad()
    def _kl(self, drawn: rollout.Rollout, rows: list[int]) -> float:
        """k1 from the base model, summed over the completions `rows`, in nats."""
        size, total = self.settings.micro_batch, 0.0
        for begin in range(0, len(rows), size):
            chosen = rows[begin : begin + size]
            base = self._logprobs(self.base, drawn, chosen)
            total += sum(float(drawn.logprobs[row].sum()) for row in chosen) - float(base.sum())
        return total

    @torch.no_grad()
    def _add_mismatch(self, drawn: rollout.Rollout, rows: list[int]) -> None:
        trainer = self._logprobs(self.policy, drawn, rows)
        self.at.mismatch.add([drawn.logprobs[row] for row in rows], trainer)

    def _logprobs(self, model: LanguageModel, drawn: rollout.Rollout, rows: list[int]) -> torch.Tensor:
        """Of the completions `rows`, at the sampling temperature: (rows, tokens), 0 on padding."""
        with devices.autocast(self.device, self.settings.precision):
            return completion_logprobs(
                model,
                [drawn.prompts[row] for row in rows],
                [drawn.completions[row] for row in rows],
                pad=self.pad,
                temperature=self.settings.sampling.temperature,
            )[0]

    def fine_tune(self) -> Iterator[float]:
        """Fit what was kept, an update at a time; yields the share that is done."""
        s, at = self.settings, self.at
        per_epoch = math.ceil(len(at.kept) / s.batch)
        total = s.epochs * per_epoch
        if total == 0:
            log.warning("iteration %d: no completion was kept, nothing to fit", at.iteration)
        if at.update == 0:
            if s.start == "base":
                self.policy.model.load_state_dict(self.base.model.state_dict())
            self.optimizer = adamw(self.policy.model.parameters(), self.settings, self.settings.learning_rate)
        while at.update < total:
            started = time.perf_counter()
            epoch, batch_index = divmod(at.update, per_epoch)
            stream = random_stream(self.seed, "order", at.iteration, epoch)
            order = torch.randperm(len(at.kept), generator=stream).tolist()
            factor = schedule.learning_rate(1.0, at.update, total, warmup=s.warmup, final=s.final_learning_rate)
            self._update(
                [at.kept[i] for i in order[batch_index * s.batch : (batch_index + 1) * s.batch]],
                s.learning_rate * factor,
            )
            at.update += 1
            at.seconds["update"] += time.perf_counter() - started
            yield at.update / total

    def _update(self, rows: list[tuple[int, list[int]]], learning_rate: float) -> None:
        """One optimiser step on the mean negative log-likelihood of the completions' tokens, by `reduction`."""
        s, at, optimizer = self.settings, self.at, self.optimizer
        if optimizer is None:
            raise ValueError("fine_tune: found no optimiser, allowed: that of the first update")
        for group in optimizer.param_groups:
            group["lr"] = learning_rate
        lengths = torch.tensor([len(ids) for _, ids in rows])
        order = sorted(range(len(rows)), key=lambda index: len(rows[index][1]))
        weights = losses.sequence_weights(lengths, s.reduction, max_tokens=1, mean_of=s.mean_of)[order].to(self.device)
        rows = [rows[index] for index in order]
        for begin in range(0, len(rows), s.micro_batch):
            chosen = rows[begin : begin + s.micro_batch]
            with devices.autocast(self.device, s.precision):
                logprobs, mask = completion_logprobs(
                    self.policy,
                    [self.prompts[number] for number, _ in chosen],
                    [ids for _, ids in chosen],
                    pad=self.pad,
                    temperature=1.0,
                )
            losses.weighted_sum(-logprobs, mask, weights[begin : begin + s.micro_batch]).backward()
        self.gradient_norm = float(torch.nn.utils.clip_grad_norm_(self.policy.model.parameters(), s.gradient_clip))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        at.sums["norm"] += self.gradient_norm

    def kl_per_token(self) -> float:
        """k1 from the base model of the policy that sampled, in nats per token."""
        sums = self.at.sums
        return sums["kl_sum"] / sums["kl_completions"] * sums["completions"] / sums["tokens"]

    def finish_iteration(self) -> tuple[dict[str, float | None], dict[str, float | None]]:
        """The rows of metrics.csv and timings.csv without their step; the place moves to the next iteration."""
        s, at = self.settings, self.at
        row = metrics_row(
            completions_sampled=at.completions_sampled,
            learning_rate=s.learning_rate,
            kl=at.sums["kl_sum"] / at.sums["kl_completions"],
            approx_kl=None,
            clip_fraction=None,
            explained_variance=None,
            gradient_norm=at.sums["norm"] / at.update if at.update else None,
            **at.mismatch.columns(),
            **rollout.describe(at.sums),
        )
        timing: dict[str, float | None] = {
            "seconds_generate": at.seconds["generate"],
            "seconds_verify": at.seconds["verify"],
            "seconds_update": at.seconds["update"],
            "tokens_per_second": at.sums["tokens"] / sum(at.seconds.values()),
            "mfu": None,
            "peak_bytes": devices.peak_bytes(self.device),
        }
        self.at = Place(iteration=at.iteration + 1, completions_sampled=at.completions_sampled)
        self.optimizer = None
        return row, timing


def keep(completions: list[list[int]], scores: list[float], *, drop_duplicates: bool) -> list[list[int]]:
    """The rewarded completions of one question, each once if `drop_duplicates`, in the order of sampling."""
    right = [ids for ids, score in zip(completions, scores, strict=True) if score > 0]
    return [list(ids) for ids in dict.fromkeys(map(tuple, right))] if drop_duplicates else right
