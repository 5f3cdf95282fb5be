"""Next-token training from scratch, one pass over a mixture.

Differs from a textbook loop in two ways: it goes on after any kill with the same numbers, bit for bit on a CPU (the
order of the data is a formula, nothing else is random), and it reports the held-out loss of each source by itself.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
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
from echochamber.tokens import Corpus

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
        mixture, length=settings.sequence_length, rows=settings.batch_rows, packing=settings.packing, seed=seed, pad=pad
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
    first, metrics, timings, since_row = 0, [], [], {"loss": 0.0, "steps": 0, "seconds": 0.0, "tokens": 0}
    if saved := state.load():
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        first, metrics, timings, since_row = (saved[key] for key in ("step", "metrics", "timings", "since_row"))

    def save(step: int) -> None:
        state.save(
            {
                "step": step,
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "metrics": metrics,
                "timings": timings,
                "since_row": since_row,
            }
        )

    progress = Progress(total, "step", first)
    last_save = time.monotonic()
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
        value = loss.item()
        if not math.isfinite(value):
            raise UserError(f"step {step}: the loss is {value}; the last good state is that of step {first}")
        since_row["loss"] += value
        since_row["steps"] += 1
        since_row["tokens"] += int((batch.labels != IGNORED).sum())
        since_row["seconds"] += time.monotonic() - started
        if step % settings.log_every == 0 or step == total:
            row = {
                "step": step,
                "tokens": since_row["tokens"],
                "learning_rate": settings.learning_rate * factor,
                "loss": since_row["loss"] / since_row["steps"],
                "gradient_norm": norm.item(),
            }
            if step % settings.held_out_every == 0 or step == total:
                row |= {f"loss_{name}": held_out_loss(model, rows, settings, device) for name, rows in held_out.items()}
            speed = since_row["tokens"] - (metrics[-1]["tokens"] if metrics else 0)
            speed /= max(since_row["seconds"], 1e-9)
            metrics.append(row)
            timings.append(
                {
                    "step": step,
                    "seconds_update": since_row["seconds"],
                    "tokens_per_second": speed,
                    "mfu": devices.mfu(flops * speed, device),
                    "peak_bytes": devices.peak_bytes(device),
                }
            )
            since_row |= {"loss": 0.0, "steps": 0, "seconds": 0.0}
            progress.update(step, loss=row["loss"], tokens_per_second=speed)
        if step in settings.checkpoints or step == total:
            state.keep(step, model, tokenizer)
        if stop():
            save(step)
            raise Interrupted(f"step {step} of {total}")
        if time.monotonic() - last_save > SECONDS_BETWEEN_SAVES:
            save(step)
            first, last_save = step, time.monotonic()
    return metrics, timings


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
