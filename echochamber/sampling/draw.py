"""What is drawn: streams of random numbers; one token a row from its logits, its log-probability, and the entropy."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from echochamber.stats.streams import stream_seed


def random_stream(seed: int, *names: str | int) -> torch.Generator:
    """A generator of its own for everything that is drawn, told apart by names: nothing to save, nothing to restore."""
    return torch.Generator().manual_seed(stream_seed(seed, *names))


def is_end(tokens: Tensor, ends: Sequence[int]) -> Tensor:
    """Which tokens end a completion: bool, of the shape of `tokens`. No answer to the host: a GPU can record it."""
    first, *others = ends
    ended = tokens == first
    for end in others:
        ended = ended | (tokens == end)
    return ended


def uniforms(steps: int, rows: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """A number in [0, 1) for each of `rows` in each of `steps`, (steps, rows, 1), float64, in one copy to `device`.

    The same numbers whether steps are drawn for one by one or together.
    """
    return torch.rand(steps, rows, 1, dtype=torch.float64, generator=generator).to(device)


def draw(
    logits: Tensor, *, top_p: float, uniform: Tensor | None, candidates: int = 32
) -> tuple[Tensor, Tensor, Tensor]:
    """One token a row.

    Args:
        logits: (rows, vocabulary), float32, divided by the temperature.
        uniform: (rows, 1), from `uniforms`; None: the most likely token.
        candidates: tokens that top_p looks at first. The whole vocabulary: it never has to look whether they are
            enough, which would make the device wait.

    Returns:
        tokens (rows,), their log-probabilities before top_p, and the entropies, in nats.
    """
    logprobs = torch.log_softmax(logits, -1)
    probabilities = logprobs.exp()
    entropy = -(probabilities * logprobs.clamp(min=-1e9)).sum(-1)  # a token ruled out adds 0, not 0 times infinity
    if uniform is None:
        tokens = logits.argmax(-1)
    else:
        if top_p < 1:
            probabilities, order = _nucleus(probabilities, top_p, candidates)
        # One uniform number a row, looked up in the cumulated probabilities: exact in float64, and one draw a row.
        cumulated = probabilities.double().cumsum(-1)
        picked = torch.searchsorted(cumulated, uniform * cumulated[:, -1:], right=True)
        picked = picked.clamp(max=cumulated.shape[1] - 1)  # beyond the last where a model has come to write NaN
        tokens = (picked if top_p == 1 else order.gather(1, picked))[:, 0]
    return tokens, logprobs.gather(1, tokens[:, None])[:, 0], entropy


PART = 128
"""Tokens whose probabilities are added up together by `draw_in_parts`."""


def draw_in_parts(logits: Tensor, *, top_p: float, uniform: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """`draw` in the form that a GPU takes: no sorting, no cumulated sum over the vocabulary, no look at the device.

    The probabilities are added up in parts of `PART` tokens; a uniform number finds its part, and then its token there.
    The nucleus of top_p is everything above a threshold, which is found by bisection over the numbers that float32 has,
    so that it is exact but for ties at the threshold, which all belong to it. Where top_p is 1 the same number gives
    the same token as in `draw`, up to rounding.

    Args:
        logits: (rows, vocabulary), in any precision, divided by the temperature.
        uniform: (rows, 1), float64; None: the most likely token.
    """
    logits = logits.float()
    rows, vocabulary = logits.shape
    total = logits.logsumexp(-1, keepdim=True)
    probabilities = (logits - total).exp()
    entropy = -(probabilities * (logits - total).clamp(min=-1e9)).sum(-1)
    if uniform is None:
        tokens = logits.argmax(-1)
    else:
        if top_p < 1:
            probabilities = torch.where(probabilities >= _threshold(probabilities, top_p), probabilities, 0.0)
        parts = F.pad(probabilities, (0, -vocabulary % PART)).view(rows, -1, PART)
        until = parts.sum(-1, dtype=torch.float64).cumsum(-1)
        wanted = uniform * until[:, -1:]
        part = _first_beyond(until, wanted)
        inside = parts.gather(1, part[..., None].expand(-1, -1, PART))[:, 0].double().cumsum(-1)
        before = torch.where(part > 0, until.gather(1, (part - 1).clamp(min=0)), 0.0)
        tokens = (part * PART + _first_beyond(inside, wanted - before))[:, 0].clamp(max=vocabulary - 1)
    return tokens, (logits - total).gather(1, tokens[:, None])[:, 0], entropy


def _first_beyond(until: Tensor, wanted: Tensor) -> Tensor:
    """The first column of `until`, which does not fall, that is more than `wanted`; where rounding has none, the last
    that is more than its neighbour."""
    last = (until < until[:, -1:]).sum(-1, keepdim=True)
    return torch.minimum(torch.searchsorted(until, wanted, right=True), last)


def _threshold(probabilities: Tensor, top_p: float) -> Tensor:
    """The largest number such that the probabilities from it on add up to `top_p` or more, (rows, 1), float32.

    As integers, the bits of numbers that are not negative have their order.
    """
    bits = probabilities.view(torch.int32)
    low = torch.zeros(len(bits), 1, dtype=torch.int32, device=bits.device)  # holds top_p
    high = torch.full_like(low, 0x3F800001)  # beyond 1: holds nothing
    for _ in range(31):
        middle = low + (high - low) // 2
        holds = torch.where(bits >= middle, probabilities, 0.0).sum(-1, keepdim=True, dtype=torch.float64) >= top_p
        low, high = torch.where(holds, middle, low), torch.where(holds, high, middle)
    return low.view(torch.float32)


def _nucleus(probabilities: Tensor, top_p: float, candidates: int) -> tuple[Tensor, Tensor]:
    """The fewest most likely tokens that hold `top_p` together, most likely first (Holtzman et al. 2020, section 3.1).

    Returns:
        their probabilities, 0 beyond the nucleus, and the tokens: (rows, candidates).
    """
    vocabulary = probabilities.shape[1]
    candidates = min(candidates, vocabulary)
    while True:  # few tokens hold most of the mass: sorting the whole vocabulary is rarely needed
        top, order = probabilities.topk(candidates, dim=-1)
        before = top.double().cumsum(-1) - top
        if candidates == vocabulary or bool((before[:, -1] >= top_p).all()):
            return torch.where(before < top_p, top, 0.0), order
        candidates = min(8 * candidates, vocabulary)
