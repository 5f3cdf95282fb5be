"""A rollout batch as tensors, and how it is cut into updates and micro-batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from echochamber.algorithms import losses
from echochamber.rl.rollout import Rollout
from echochamber.settings import PolicyGradient


@dataclass
class Batch:
    """A rollout batch as tensors, (completions, longest), 0 beyond `mask`; filled in as a step goes on."""

    mask: Tensor
    """Where the policy learns: the tokens that it drew, without those of completions that are masked."""
    tokens: Tensor
    """Where there is a token."""
    drawn: Tensor
    """Where it is one that the policy drew, and no tool inserted."""
    lengths: Tensor
    """Of `mask`: how many tokens of each completion it learns from."""
    advantages: Tensor
    old: Tensor
    """Log-probabilities of the policy when it sampled."""
    reference: Tensor
    values: Tensor
    returns: Tensor

    @classmethod
    def empty(cls, drawn: Rollout, device: torch.device, *, finished_only: bool = False) -> Batch:
        """Masks and lengths of a rollout, and zeros. `finished_only`: nothing is learned from truncated completions."""
        lengths = torch.tensor([len(ids) for ids in drawn.completions], device=device)
        tokens = torch.arange(int(lengths.max()), device=device) < lengths[:, None]
        drew = tokens
        if drawn.inserted is not None:
            inserted = [F.pad(torch.from_numpy(row), (0, tokens.shape[1] - len(row))) for row in drawn.inserted]
            drew = tokens & ~torch.stack(inserted).to(device)
        mask = drew
        if finished_only:
            mask = drew & torch.tensor(drawn.finished, device=device)[:, None]
        return cls(mask, tokens, drew, mask.sum(1), *(torch.zeros(mask.shape, device=device) for _ in range(5)))


@dataclass
class Update:
    """One optimiser step: its rows of the batch, and those that are computed, in micro-batches."""

    rows: list[int]
    """In the order of `losses.sequence_weights`."""
    micros: list[list[int]]


@dataclass
class Sums:
    """Running sums of the diagnostics of a step's updates."""

    approx_kl: float = 0.0
    clipped: float = 0.0
    tokens: int = 0
    norms: list[float] = field(default_factory=list)

    def add(self, log_ratio: Tensor, mask: Tensor, clipped: Tensor) -> None:
        """Of one micro-batch: log-probability now minus when sampled, 0 beyond the mask; where the clip binds."""
        self.approx_kl += float(losses.log_ratio_estimate(-log_ratio, "k3").sum())
        self.clipped += float(clipped.sum())
        self.tokens += int(mask.sum())


def updates(
    settings: PolicyGradient,
    active: list[bool],
    generator: torch.Generator,
    split: Callable[[list[int]], list[list[int]]],
) -> list[Update]:
    """The updates of one pass over a batch: whole groups in random order.

    Where the loss is a mean of means, `Update.rows` is in random order: which completions share a mean is drawn.

    Args:
        active: of each completion, whether it is computed.
        split: rows of an update into micro-batches.
    """
    s = settings
    order = torch.randperm(s.prompts_per_batch, generator=generator)
    rows = [group * s.samples_per_prompt + sample for group in order.tolist() for sample in range(s.samples_per_prompt)]
    plan = []
    for begin in range(0, len(rows), s.update_batch):
        chosen = rows[begin : begin + s.update_batch]
        if s.reduction == "micro_batch_mean":
            chosen = [chosen[index] for index in torch.randperm(len(chosen), generator=generator).tolist()]
        plan.append(Update(chosen, split([row for row in chosen if active[row]])))
    return plan


def micro_batches(rows: list[int], lengths: list[int], size: int) -> list[list[int]]:
    """The rows by length, `size` together."""
    rows = sorted(rows, key=lambda row: lengths[row])
    return [rows[begin : begin + size] for begin in range(0, len(rows), size)]
