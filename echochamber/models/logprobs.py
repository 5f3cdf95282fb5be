"""Log-probabilities of given tokens, without the logits of a whole batch: what a GPU takes.

Differs from `log_softmax(head(states)).gather(targets)` in memory, not in value: logits exist for one chunk of
positions at a time, in the precision of the product, and are made a second time in the backward pass. Compiled, the
softmax and its gradient are fused, and no logits in float32 are written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

LOGITS_AT_ONCE = 2**27


def _logprobs(states: Tensor, weight: Tensor, targets: Tensor, scale: float) -> Tensor:
    """Of one chunk, (tokens,), float32."""
    logits = F.linear(states, weight).float() * scale
    return logits.gather(1, targets[:, None])[:, 0] - logits.logsumexp(-1)


def _gradients(states: Tensor, weight: Tensor, targets: Tensor, scale: float, slope: Tensor) -> tuple[Tensor, Tensor]:
    """By the states and the weight of one chunk; `slope`: by its log-probabilities."""
    probabilities = (F.linear(states, weight).float() * scale).softmax(-1)
    wanted = torch.arange(len(weight), device=weight.device)[None] == targets[:, None]
    by_logits = ((wanted.float() - probabilities) * (slope * scale)[:, None]).to(weight.dtype)
    return by_logits @ weight, by_logits.t() @ states


class _TokenLogprobs(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, states: Tensor, weight: Tensor, targets: Tensor, scale: float, parts: tuple[Callable[..., Any], ...]
    ) -> Tensor:
        kind = states.device.type  # the backward pass runs where autocast is not known of
        ctx.dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else states.dtype
        product, rows = weight.to(ctx.dtype), _rows(weight)  # once for all chunks
        ctx.save_for_backward(states, weight, targets)
        ctx.scale, ctx.parts = scale, parts
        chunks = zip(states.split(rows), targets.split(rows), strict=True)
        return torch.cat([parts[0](s.to(product.dtype), product, t, scale) for s, t in chunks])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        states, weight, targets = ctx.saved_tensors
        product, rows = weight.to(ctx.dtype), _rows(weight)
        by_states, by_weight = torch.empty_like(states), torch.zeros_like(weight)
        for begin in range(0, len(states), rows):
            inside = slice(begin, begin + rows)
            chunk = states[inside].to(product.dtype)
            by_states[inside], part = ctx.parts[1](chunk, product, targets[inside], ctx.scale, slope[inside])
            by_weight += part
        return by_states, by_weight, None, None, None


def _rows(weight: Tensor) -> int:
    return max(1, LOGITS_AT_ONCE // len(weight))


def token_logprobs(
    states: Tensor, weight: Tensor, targets: Tensor, temperature: float = 1.0, *, compile: bool = False
) -> Tensor:
    """Log-probabilities of `targets`, in nats, (tokens,), float32.

    Args:
        states: (tokens, width).
        weight: (vocabulary, width), of the output matrix.
        targets: (tokens,).
        compile: fuse what is done to a chunk's logits.
    """
    parts = (_compiled(_logprobs), _compiled(_gradients)) if compile else (_logprobs, _gradients)
    logprobs: Tensor = _TokenLogprobs.apply(states, weight, targets, 1.0 / temperature, parts)
    return logprobs


_COMPILED: dict[Callable[..., Any], Callable[..., Any]] = {}


def _compiled(part: Callable[..., Any]) -> Callable[..., Any]:
    """Compiled once a process, for chunks of all lengths."""
    return _COMPILED.setdefault(part, torch.compile(part, dynamic=True))
