"""Runs of PPO, GRPO and their relatives: one step after the other (`echochamber.rl.step`), and what is kept of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from transformers import PreTrainedModel

from echochamber.errors import Interrupted
from echochamber.jobs.job import Progress
from echochamber.models.checkpoint import TrainingState
from echochamber.rl import rollout, schedule
from echochamber.rl.mismatch import warn_if_parted
from echochamber.rl.rewards import refuse_golds
from echochamber.rl.run import Rows, Run, refuse_no_questions
from echochamber.rl.step import Trainer
from echochamber.sampling.prompts import encode_questions
from echochamber.settings import PolicyGradient, PromptForm
from echochamber.stats.streams import stream_seed


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
    form: PromptForm | None = None,
) -> tuple[Rows, Rows]:
    """Train `model`, which is the reference policy too, on the questions; keep its checkpoints in `state`.

    Args:
        model: the base model, in float32.
        questions: with `question`, `answer` and `graph`.
        form: how a question stands in a prompt; examples in it are the first of the other questions.

    Returns:
        Rows of metrics.csv, one a rollout batch, about the policy that sampled it, and of timings.csv.

    Raises:
        Interrupted: `stop()` turned true; the state is saved.
        UserError: there are no questions, a gold is none that the reward can use, a reward or an update is not finite,
            or the policy has diverged from the base model.
    """
    refuse_no_questions(questions)
    refuse_golds(settings.reward, questions)
    trainer = Trainer(settings, model, tokenizer, len(questions), seed, device)
    prompts = encode_questions(tokenizer, questions, form, examples=questions)
    kept = schedule.checkpoint_steps(settings, len(questions))
    total = schedule.total_steps(settings, len(questions))

    def batch(step: int, again: int = 0) -> tuple[list[list[int]], list[Any]]:
        """The prompts and questions of a step; of its further batches from streams of their own."""
        stream = stream_seed(seed, "again", again) if again else seed
        numbers = schedule.prompt_numbers(step - 1, settings.prompts_per_batch, len(questions), stream)
        return [prompts[n] for n in numbers], [questions[n] for n in numbers]

    run = Run(trainer, state, stop)
    progress = Progress(total, "step", run.step, file=state.progress)
    for step in range(run.step + 1, total + 1):
        try:
            row, timing = trainer.step(step, *batch(step), stop, more=partial(batch, step))
        except Interrupted:  # before the step changed anything
            run.breathe(f"step {step - 1} of {total}")
            raise
        kl, norm = rollout.number(row, "kl"), rollout.number(row, "gradient_norm")
        drift = kl / rollout.number(row, "completion_tokens_mean")
        run.refuse_divergence(f"step {step}", kl=drift, kept=kept, gradient_norm=norm, critic_norm=trainer.critic_norm)
        run.add(row, timing)
        warn_if_parted(run.metrics, settings.precision)
        speed = rollout.number(timing, "tokens_per_second")
        progress.update(step, **rollout.what_it_earns(row), kl=kl, tokens_per_second=speed)
        if step in kept:
            state.keep(step, model, tokenizer)
        run.breathe(f"step {step} of {total}")
    return run.metrics, run.timings
