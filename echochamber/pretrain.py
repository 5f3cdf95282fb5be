"""Next-token training from scratch, one pass over a mixture.

Differs from a textbook loop in two ways: it goes on after any kill with the same numbers, bit for bit on a CPU (the
order of the data is a formula, nothing else is random), and it reports the held-out loss of each source by itself.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F
from transformers import OlmoForCausalLM, PreTrainedTokenizerBase

from echochamber import device as devices
from echochamber.checkpoint import SECONDS_BETWEEN_SAVES, TrainingState
from echochamber.job import Interrupted, Progress, UserError
from echochamber.mixture import IGNORED, Batch, Batches
from echochamber.model import build, training_flops_per_token
from echochamber.schedule import warmup_cosine
from echochamber.settings import Pretraining, Scale
from echochamber.shards import Corpus

Rows = list[dict[str, float]]


def train(
    settings: Pretraining,
    scale: Scale,
    mixture: dict,
    tokenizer: PreTrainedTokenizerBase,
    *,
    seed: int,
    state: TrainingState,
    stop: Callable[[], bool],
    device: torch.device,
) -> tuple[Rows, Rows]:
    """Train a model of `scale` on `mixture` and keep its checkpoints in `state`.

    Returns:
        Rows of metrics.csv (losses in nats per token) and of timings.csv.

    Raises:
        Interrupted: `stop()` turned true; the state is saved.
        UserError: a checkpoint is asked for that the mixture is too small to reach, or the loss is no longer finite.
    """
    pad = tokenizer.pad_token_id
    batches = Batches(
        mixture,
        length=settings.sequence_length,
        rows=settings.batch_rows,
        packing=settings.packing,
        document_mask=settings.document_mask,
        seed=seed,
        pad=pad,
    )
    total = len(batches)
    if max(settings.checkpoints, default=0) > total:
        raise UserError(
            f"pretraining.checkpoints: found {max(settings.checkpoints)}, allowed: up to the last step {total}"
        )
    model = build(
        scale,
        vocabulary=len(tokenizer),
        context=settings.sequence_length,
        eos=tokenizer.eos_token_id,
        pad=pad,
        seed=seed,
    ).to(device)
    held_out = held_out_batches(mixture, settings, pad)
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=settings.learning_rate,
        betas=settings.betas,
        eps=settings.epsilon,
        weight_decay=settings.weight_decay,
        fused=True,
    )
    first, log = 0, Log()
    if saved := state.load():
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        first, log = saved["step"], Log(**saved["log"])

    def save(step: int) -> None:
        weights = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        state.save({"step": step, "log": asdict(log)} | weights)

    progress = Progress(total, "step", first, file=state.progress)
    last_save, last_saved_step = time.monotonic(), first
    flops = training_flops_per_token(model, settings.sequence_length)
    for step in range(first + 1, total + 1):
        started = time.monotonic()
        factor = warmup_cosine(step - 1, total, warmup=settings.warmup_steps, final=settings.final_learning_rate)
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * factor
        batch = batches.batch(step - 1)
        with devices.autocast(device, settings.precision):
            loss = next_token_loss(model, batch, device)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), settings.gradient_clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if not math.isfinite(loss.item()):
            raise UserError(
                f"step {step}: the loss is {loss.item()}; the last state that was saved is step {last_saved_step}"
            )
        log.add(loss.item(), int((batch.labels != IGNORED).sum()), time.monotonic() - started)
        if step % settings.log_every == 0 or step == total:
            measured = {"learning_rate": settings.learning_rate * factor, "gradient_norm": norm.item()}
            if step % settings.held_out_every == 0 or step == total:
                measured |= {
                    f"loss_{name}": held_out_loss(model, rows, settings, device) for name, rows in held_out.items()
                }
            log.row(step, measured, flops, device)
            progress.update(step, **log.latest())
        if step in settings.checkpoints or step == total:
            state.keep(step, model, tokenizer)
        if stop():
            save(step)
            raise Interrupted(f"step {step} of {total}")
        if time.monotonic() - last_save > SECONDS_BETWEEN_SAVES:
            save(step)
            last_save, last_saved_step = time.monotonic(), step
    return log.metrics, log.timings


@dataclass
class Log:
    """Rows of metrics.csv and timings.csv, and the sums since the last one: part of what a run resumes from."""

    metrics: Rows = field(default_factory=list)
    timings: Rows = field(default_factory=list)
    tokens: int = 0
    """Since the start of the run; the other sums are since the last row."""
    loss: float = 0.0
    steps: int = 0
    seconds: float = 0.0

    def add(self, loss: float, tokens: int, seconds: float) -> None:
        self.loss += loss
        self.steps += 1
        self.tokens += tokens
        self.seconds += seconds

    def row(self, step: int, measured: dict[str, float], flops_per_token: float, device: torch.device) -> None:
        """Close the interval that ends with `step`."""
        before = self.metrics[-1]["tokens"] if self.metrics else 0
        speed = (self.tokens - before) / max(self.seconds, 1e-9)
        self.metrics.append({"step": step, "tokens": self.tokens, "loss": self.loss / self.steps} | measured)
        cost = {"tokens_per_second": speed, "mfu": devices.mfu(flops_per_token * speed, device)}
        cost["peak_bytes"] = devices.peak_bytes(device)
        self.timings.append({"step": step, "seconds_update": self.seconds} | cost)
        self.loss, self.steps, self.seconds = 0.0, 0, 0.0

    def latest(self) -> dict[str, float]:
        """For the progress line."""
        return {"loss": self.metrics[-1]["loss"], "tokens_per_second": self.timings[-1]["tokens_per_second"]}


def next_token_loss(model: OlmoForCausalLM, batch: Batch, device: torch.device) -> torch.Tensor:
    """Mean negative log-likelihood of each token given those before it in its document, in nats per token."""
    ids, labels = (torch.from_numpy(array).to(device) for array in (batch.ids[:, :-1], batch.labels[:, 1:]))
    mask = positions = None
    if batch.positions is not None:
        positions = torch.from_numpy(batch.positions[:, :-1]).to(device)
        mask = document_mask(positions)
    logits = model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False).logits.float()
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)


def document_mask(positions: torch.Tensor) -> torch.Tensor:
    """Which position attends to which: those before it in its own document, and itself.

    Args:
        positions: (rows, tokens); a document begins where it is 0.

    Returns:
        bool, (rows, 1, tokens, tokens): query, key.
    """
    document = (positions == 0).cumsum(1)
    own = document[:, :, None] == document[:, None, :]
    return own.tril()[:, None]


def held_out_batches(mixture: dict, settings: Pretraining, pad: int) -> dict[str, list[Batch]]:
    """Per source, its held-out documents, each in a row of its own, cut at the sequence length."""
    found = {}
    for name, source in mixture["sources"].items():
        corpus = Corpus(Path(source["corpus"]), "held_out")
        documents = [corpus.document(i)[: settings.sequence_length] for i in range(len(corpus))]
        batches = []
        for begin in range(0, len(documents), settings.batch_rows):
            chosen = documents[begin : begin + settings.batch_rows]
            ids = np.full((len(chosen), max(map(len, chosen))), pad, dtype=np.int64)
            labels = np.full_like(ids, IGNORED)
            for row, tokens in enumerate(chosen):
                ids[row, : len(tokens)] = labels[row, : len(tokens)] = tokens
            batches.append(Batch(ids, labels, None))
        if batches:
            found[name] = batches
    return found


@torch.no_grad()
def held_out_loss(model: OlmoForCausalLM, batches: list[Batch], settings: Pretraining, device: torch.device) -> float:
    """Loss on held-out documents, in nats per token, each token counted once."""
    total, tokens = 0.0, 0
    for batch in batches:
        count = int((batch.labels[:, 1:] != IGNORED).sum())
        with devices.autocast(device, settings.precision):
            loss = next_token_loss(model, batch, device)
        total += loss.item() * count
        tokens += count
    return total / tokens
