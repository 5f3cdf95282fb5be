"""The next-token loss, without the logits of a whole batch.

Differs from `cross_entropy(head(states), labels)` in memory, not in value: logits are made for one chunk of positions
at a time, turned in place into their own gradient, and forgotten. So the backward pass needs no logits at all, where
recomputing them would multiply with the output matrix a fourth time (as in Liger-Kernel, Hsu et al. 2024).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable
from transformers import PreTrainedModel

from echochamber.data.mixture import IGNORED

LOGITS_AT_ONCE = {"cpu": 2**18, "cuda": 2**26}
"""By the kind of device: on a CPU they stay in its cache, on a GPU they are enough to keep it busy."""

POSITIONS_AT_ONCE = 512
"""At least: each chunk adds to the gradient of the whole output matrix, which is to stay a small part of its work."""


class NextTokenLoss(torch.nn.Module):
    """A causal language model whose forward pass is its loss: what DDP and FSDP wrap."""

    def __init__(self, model: PreTrainedModel, *, compile: bool = False) -> None:
        super().__init__()
        self.model = model
        self.parts = _parts
        if compile:  # layer by layer, so that gradients of the last ones travel while the first ones are computed
            for layer in model.base_model.layers:
                layer.compile()
            self.parts = torch.compile(_parts)

    def forward(self, ids: Tensor, labels: Tensor, positions: Tensor | None, tokens: Tensor) -> Tensor:
        """Negative log-likelihood of `labels`, in nats, summed over these rows and divided by `tokens`.

        Args:
            ids, labels: (rows, length); the label is the token that follows, -100 where there is no loss.
            positions: (rows, length), the place of each token in its document, which sees nothing of other documents;
                None where a row is one text from end to end.
            tokens: (), what to divide by: the tokens with a label in the **whole** batch, so that the micro-batches of
                all processes add up to its mean. (A mean of their means would weigh the tokens of short rows more.)
        """
        mask = None
        if positions is not None:
            kind = ids.device.type
            mask = document_mask(positions, torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None)
        base = self.model.base_model
        states = base(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False).last_hidden_state
        weight = self.model.get_output_embeddings().weight
        return chunked_cross_entropy(states.flatten(0, 1), weight, labels.flatten(), parts=self.parts) / tokens


def document_mask(positions: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Which position attends to which: those before it in its own document, and itself.

    Args:
        positions: (rows, length); a document begins where it is 0.

    Returns:
        (rows, 1, length, length): query, key; 0 where it attends, else minus infinity. In this form it is added to the
        scores as it is, where a boolean one would be turned into it by every layer.
    """
    document = (positions == 0).cumsum(1)
    own = (document[:, :, None] == document[:, None, :]).tril()
    zero = torch.zeros((), dtype=dtype or torch.float32, device=positions.device)
    return torch.where(own, zero, -torch.inf)[:, None]


Parts = tuple[Tensor, Tensor | None, Tensor | None]


def _parts(states: Tensor, weight: Tensor, labels: Tensor, gradients: bool) -> Parts:
    """Loss of one chunk, and its gradients by `states` and `weight`."""
    logits = F.linear(states, weight)
    logprobs = logits.float().log_softmax(-1)
    loss = F.nll_loss(logprobs, labels, ignore_index=IGNORED, reduction="sum")
    if not gradients:
        return loss, None, None
    counted = (labels != IGNORED)[:, None]
    slope = logprobs.exp_()  # softmax - one-hot; which rows count is left to the narrower factors of the products
    slope.scatter_add_(1, labels.clamp(min=0)[:, None], slope.new_full((len(labels), 1), -1.0))
    slope = slope.to(logits.dtype)
    return loss, (slope @ weight) * counted, slope.t() @ (states * counted)


class _ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, states, weight, labels, rows, parts):
        kind = states.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else states.dtype
        product = weight.to(dtype)  # once, not in every chunk
        loss = torch.zeros((), device=states.device)
        by_states, by_weight = torch.empty_like(states), None
        for begin in range(0, len(states), rows):
            inside = slice(begin, begin + rows)
            part, by_states[inside], more = parts(states[inside].to(dtype), product, labels[inside], True)
            loss += part
            more = more.to(weight.dtype)
            by_weight = more if by_weight is None else by_weight.add_(more)
        ctx.save_for_backward(by_states, by_weight)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx, slope):
        by_states, by_weight = ctx.saved_tensors
        return by_states * slope, by_weight * slope, None, None, None


def chunked_cross_entropy(
    states: Tensor,
    weight: Tensor,
    labels: Tensor,
    *,
    logits_at_once: int | None = None,
    parts: Callable[..., Parts] = _parts,
) -> Tensor:
    """`cross_entropy(states @ weight.T, labels, reduction="sum")`.

    Args:
        states: (positions, width).
        weight: (vocabulary, width).
        labels: (positions,), -100 where there is no loss.
        logits_at_once: upper limit on the logits that exist at any time; none: `LOGITS_AT_ONCE`, or those of
            `POSITIONS_AT_ONCE` if they are more.
    """
    if logits_at_once is None:
        logits_at_once = max(LOGITS_AT_ONCE.get(states.device.type, 0), POSITIONS_AT_ONCE * len(weight))
    rows = max(1, logits_at_once // len(weight))
    if torch.is_grad_enabled():
        return _ChunkedCrossEntropy.apply(states, weight, labels, rows, parts)
    chunks = zip(states.split(rows), labels.split(rows), strict=True)
    return sum(parts(chunk, weight, label, False)[0] for chunk, label in chunks)
