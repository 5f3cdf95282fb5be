"""Next-token training from scratch, one pass over a mixture, in one process or in many.

    python workflow_scripts/pretrain.py --spec '<json>' --out DIR
    python -m torch.distributed.run --nproc-per-node 8 workflow_scripts/pretrain.py --spec '<json>' --out DIR

Differs from a textbook loop in three ways. It goes on after any kill with the same numbers, bit for bit on a CPU, and
with any number of processes (the order of the data is a formula, nothing else is random). It reports the held-out loss
of each source by itself. And it looks at losses only when a row of metrics.csv is due: no GPU waits for its host.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from echochamber import hardware
from echochamber.data.mixture import IGNORED, Batches
from echochamber.data.solutions import SolutionsOnly
from echochamber.errors import Interrupted, UserError
from echochamber.jobs.job import Progress
from echochamber.models import device as devices
from echochamber.models.architecture import build, parameters, training_flops_per_token
from echochamber.models.checkpoint import TrainingState
from echochamber.models.learning_rate import warmup_cosine
from echochamber.models.parallel import Processes, Shared
from echochamber.pretraining import fit, loader
from echochamber.pretraining.columns import METRICS, TIMINGS
from echochamber.pretraining.loader import Rows
from echochamber.pretraining.loss import NextTokenLoss
from echochamber.settings import Pretraining, Scale

Table = list[dict[str, float]]

logger = logging.getLogger(__name__)


def train(
    settings: Pretraining,
    scale: Scale,
    mixture: dict,
    tokenizer: PreTrainedTokenizerBase,
    *,
    seed: int,
    state: TrainingState | None,
    stop: Callable[[], bool],
    processes: Processes,
    base: PreTrainedModel | None = None,
    solutions_only: bool = False,
) -> tuple[Table, Table]:
    """Train a model of `scale` on `mixture` and keep its checkpoints in `state`, which the first process alone has.

    Args:
        base: what a stage after pretraining starts from; none: fresh weights.
        solutions_only: take the loss of solutions alone; held-out losses are of whole documents all the same.

    Returns:
        Rows of metrics.csv (losses in nats per token) and of timings.csv.

    Raises:
        Interrupted: `stop()` turned true in some process; the state is saved.
        UserError: a checkpoint is asked for that the mixture is too small to reach, so is the end of the warm-up, the
            processes do not divide the batch, or the loss is no longer finite.
    """
    device, pad = processes.device, tokenizer.pad_token_id
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
    if settings.warmup_steps > total:
        raise UserError(f"pretraining.warmup_steps: found {settings.warmup_steps}, allowed: up to the {total} steps")
    if settings.batch_rows % processes.size:
        raise UserError(
            f"pretraining.batch_rows: found {settings.batch_rows} for {processes.size} processes, allowed: a multiple"
        )
    model = base or build(
        scale,
        vocabulary=len(tokenizer),
        context=settings.sequence_length,
        eos=tokenizer.eos_token_id,
        pad=pad,
        seed=seed,
    )
    flops = training_flops_per_token(model, settings.sequence_length)
    micro_rows, compiled = fitted(scale, settings, model, total, processes)
    shared = Shared(NextTokenLoss(model, compile=compiled), model.base_model.layers, processes, scale.sharding)
    optimizer = torch.optim.AdamW(
        shared.inner.parameters(),
        lr=settings.learning_rate,
        betas=settings.betas,
        eps=settings.epsilon,
        weight_decay=settings.weight_decay,
        fused=True,
    )
    held_out = loader.held_out(
        mixture, length=settings.sequence_length, rows=min(micro_rows, settings.batch_rows), pad=pad
    )
    saved = state.load() if processes.first else None
    first, log = processes.agree((saved["step"], Log(**saved["log"])) if saved else (0, Log()))
    if first:
        shared.load(optimizer, saved or {})
    del saved

    share = processes.share(settings.batch_rows)
    with_loss = SolutionsOnly(tokenizer) if solutions_only else None

    def make(number: int) -> Rows:
        batch = batches.batch(number, share)
        rows = Rows.of(with_loss(batch) if with_loss else batch)
        return rows.each(lambda tensor: tensor.contiguous().pin_memory()) if device.type == "cuda" else rows

    if compiled and first < total:
        compile_ahead(shared, optimizer, make(first), settings, micro_rows)

    def save(step: int, last: bool) -> None:
        training_state = shared.state(optimizer)
        if processes.first:
            copied = device.type != "cpu"  # what `state` gives lies on the host
            state.save({"step": step, "log": asdict(log)} | training_state, beside=not last, copied=copied)
            state.show(log.metrics, now=True)
        processes.agree(None)  # that it is saved: torchrun ends all processes soon after the first one that ends

    def keep(step: int) -> None:
        weights = shared.whole_weights()
        if processes.first:
            state.keep(step, model, tokenizer, weights)

    if processes.first:
        state.show(log.metrics, now=True)
    progress = Progress(total, "step", first, file=state.progress if processes.first else None)
    watch = Watch(log, processes)
    last_saved_step = first
    for step, rows in enumerate(loader.ahead(make, range(first, total)), first + 1):
        factor = warmup_cosine(step - 1, total, warmup=settings.warmup_steps, final=settings.final_learning_rate)
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * factor
        loss, tokens, norm = update(shared, optimizer, rows.to(device), settings, micro_rows, processes)
        watch.add(loss, tokens)
        row = step % settings.log_every == 0 or step == total
        kept = step in settings.checkpoints or step == total
        stopping, due = processes.any(stop(), processes.first and state.due())
        if not (row or kept or stopping or due):
            continue
        watch.look(step, last_saved_step)
        if row:
            measured = {"learning_rate": settings.learning_rate * factor, "gradient_norm": norm.item()}
            if step % settings.held_out_every == 0 or step == total:
                measured |= {
                    f"loss_{name}": held_out_loss(shared, batches, settings, processes)
                    for name, batches in held_out.items()
                }
            log.row(step, measured, flops, processes)
            if processes.first:
                progress.update(step, **log.latest())
                state.show(log.metrics)
        if kept:
            keep(step)
        if stopping or due:
            save(step, stopping)
            last_saved_step = step
        if stopping:
            raise Interrupted(f"step {step} of {total}")
        watch.resume()
    return log.metrics, log.timings


def fitted(
    scale: Scale, settings: Pretraining, model: PreTrainedModel, total: int, processes: Processes
) -> tuple[int, bool]:
    """Rows of a micro-batch, and whether layers and loss are compiled: as the scale says, else as fits the device.

    Args:
        total: steps of the whole run, so that one that goes on decides alike.
    """
    device, share = processes.device, settings.batch_rows // processes.size
    on_gpu = device.type == "cuda"
    sharded = processes.size if scale.sharding == "fsdp2" else 1
    rows = processes.agree(
        fit.micro_batch_rows(
            scale,
            settings,
            vocabulary=model.config.vocab_size,
            rows=share,
            held=fit.BYTES_TRAINED * parameters(model) / sharded,
            memory_bytes=devices.memory_bytes(device)[0] if on_gpu else None,
        )
    )
    compiled = scale.compile
    if compiled == "auto":
        tokens = total * share * settings.sequence_length
        compiled = on_gpu and fit.compiling_pays(
            hardware.of(devices.name(device)),
            layers=scale.layers,
            flops=tokens * training_flops_per_token(model, settings.sequence_length),
            passes=total * math.ceil(share / rows),
            precision=settings.precision,
        )
    logger.info("micro-batches of %d rows, %s", min(rows, share), "compiled" if compiled else "not compiled")
    return rows, compiled


def compile_ahead(
    shared: Shared, optimizer: torch.optim.Optimizer, rows: Rows, settings: Pretraining, micro_rows: int
) -> None:
    """Pass one micro-batch forward and backward and forget it: what is compiled then is in no rate of timings.csv."""
    started = time.monotonic()
    part = rows.split(micro_rows)[0].to(next(shared.inner.parameters()).device)
    with devices.autocast(part.ids.device, settings.precision):
        loss = shared.module(*part, torch.ones((), device=part.ids.device))
    loss.backward()
    loss.item()  # waits
    optimizer.zero_grad(set_to_none=True)
    logger.info("compiled in %.1f s", time.monotonic() - started)


def update(
    shared: Shared,
    optimizer: torch.optim.Optimizer,
    rows: Rows,
    settings: Pretraining,
    micro_rows: int,
    processes: Processes,
) -> tuple[Tensor, Tensor, Tensor]:
    """One optimiser step on a batch of which this process has `rows`.

    Returns:
        this process's part of the batch's mean loss, in nats per token; the tokens of the whole batch that give a loss;
        the norm of its gradient before clipping. All (), and none is waited for.
    """
    tokens = processes.sum((rows.labels != IGNORED).sum())
    loss = torch.zeros((), device=processes.device)
    parts = rows.split(micro_rows)
    for number, part in enumerate(parts, 1):
        with shared.accumulating(last=number == len(parts)):
            with devices.autocast(processes.device, settings.precision):
                # gradients are averaged over the processes, and are to be summed
                part_loss = shared.module(*part, tokens / processes.size)
            part_loss.backward()
        loss += part_loss.detach()
    norm = torch.nn.utils.clip_grad_norm_(shared.inner.parameters(), settings.gradient_clip)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss / processes.size, tokens, norm.full_tensor() if isinstance(norm, DTensor) else norm


@torch.no_grad()
def held_out_loss(shared: Shared, batches: list[Rows], settings: Pretraining, processes: Processes) -> float:
    """Loss on held-out documents, in nats per token, each token counted once. All processes compute the same."""
    total, tokens = 0.0, 0
    for rows in batches:
        count = rows.tokens()
        with devices.autocast(processes.device, settings.precision):
            loss = shared.inner(*rows.to(processes.device), torch.tensor(count, device=processes.device))
        total += loss.item() * count
        tokens += count
    return total / tokens


@dataclass
class Log:
    """Rows of metrics.csv and timings.csv, and the sums since the last one: part of what a run resumes from."""

    metrics: Table = field(default_factory=list)
    timings: Table = field(default_factory=list)
    tokens: int = 0
    """Since the start of the run; the other sums are since the last row."""
    loss: float = 0.0
    steps: int = 0
    seconds: float = 0.0

    def row(self, step: int, measured: dict[str, float], flops_per_token: float, processes: Processes) -> None:
        """Close the interval that ends with `step`."""
        before = self.metrics[-1]["tokens"] if self.metrics else 0
        speed = (self.tokens - before) / max(self.seconds, 1e-9)
        self.metrics.append({"step": step, "tokens": self.tokens, "loss": self.loss / self.steps} | measured)
        mfu = devices.mfu(flops_per_token * speed / processes.size, processes.device)
        cost = {"tokens_per_second": speed, "mfu": mfu, "peak_bytes": devices.peak_bytes(processes.device)}
        self.timings.append({"step": step, "seconds_update": self.seconds} | cost)
        METRICS.check(self.metrics[-1], "metrics.csv")
        TIMINGS.check(self.timings[-1], "timings.csv")
        self.loss, self.steps, self.seconds = 0.0, 0, 0.0

    def latest(self) -> dict[str, float]:
        """For the progress line."""
        return {"loss": self.metrics[-1]["loss"], "tokens_per_second": self.timings[-1]["tokens_per_second"]}


class Watch:
    """The losses of the last steps, still on the device, and the time that they took."""

    def __init__(self, log: Log, processes: Processes) -> None:
        self.log, self.processes = log, processes
        self.losses: list[Tensor] = []
        self.tokens: list[Tensor] = []
        self.resume()

    def resume(self) -> None:
        """From here on time counts: what lies before was no training."""
        self.since = time.monotonic()

    def add(self, loss: Tensor, tokens: Tensor) -> None:
        """One step: this process's part of the loss, the tokens of all."""
        self.losses.append(loss)
        self.tokens.append(tokens)

    def look(self, step: int, last_saved_step: int) -> None:
        """Wait for the steps up to `step`, and add them to the log.

        Raises:
            UserError: a loss is not finite.
        """
        losses = self.processes.sum(torch.stack(self.losses)).tolist()
        tokens = torch.stack(self.tokens).tolist()
        self.log.seconds += time.monotonic() - self.since
        for number, loss in enumerate(losses, step - len(losses) + 1):
            if not math.isfinite(loss):
                raise UserError(
                    f"step {number}: the loss is {loss}; the last state that was saved is step {last_saved_step}"
                )
            self.log.loss += loss
        self.log.steps += len(losses)
        self.log.tokens += sum(tokens)
        self.losses, self.tokens = [], []
