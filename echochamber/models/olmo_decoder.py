"""One decoding step of OLMo, in a third of the operations of the general module.

Differs from `transformers`' module in form, not in value: queries, keys, values and the rotated halves of the first
two come out of one matrix product, gate and up projection out of another, and what is the same in every step is made
once. Inference only; other architectures, and the prompt, go through the module itself.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import OlmoForCausalLM, PreTrainedModel

from echochamber.models.adapters import adapted


def applies_to(model: PreTrainedModel) -> bool:
    config = model.config
    return (
        type(model) is OlmoForCausalLM
        and config.clip_qkv is None
        and not config.attention_bias
        and config.hidden_act == "silu"
        and config.rope_parameters["rope_type"] == "default"
        and not adapted(model)
    )


Attend = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""(layer, query, key, value) -> what the newest token of each row sees: all (rows, heads, 1, width), key and value with
the heads that they have. Key and value are remembered."""


class OlmoDecoder:
    """A copy of the weights in the form that a step takes; stale once the model is trained further (`refresh`)."""

    @torch.no_grad()
    def __init__(self, model: OlmoForCausalLM, positions: int, *, compile: bool = False) -> None:
        """
        Args:
            positions: upper limit on the length of prompt and completion.
            compile: fuse what stands between the matrix products.
        """
        config, device = model.config, model.device
        kind = device.type
        self.dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else model.dtype
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.width = config.hidden_size // config.num_attention_heads
        self.embedding = model.model.embed_tokens.weight
        self.layers = [tuple(weight.to(self.dtype) for weight in self._weights(layer)) for layer in model.model.layers]
        self.head = model.lm_head.weight.to(self.dtype)
        angles = model.model.rotary_emb(self.embedding, torch.arange(positions, device=device)[None])
        self.cos, self.sin = (table[0] for table in angles)
        parts = (_projected, _finished)
        self.projected, self.finished = (torch.compile(part, dynamic=True) if compile else part for part in parts)

    @torch.no_grad()
    def refresh(self, model: OlmoForCausalLM) -> None:
        """Copy the weights anew, into the same memory."""
        for weights, layer in zip(self.layers, model.model.layers, strict=True):
            for old, new in zip(weights, self._weights(layer), strict=True):
                old.copy_(new)
        if self.head is not model.lm_head.weight:
            self.head.copy_(model.lm_head.weight)

    def _weights(self, layer: nn.Module) -> tuple[Tensor, ...]:
        attention, mlp = layer.self_attn, layer.mlp
        turned = torch.cat([attention.q_proj.weight, attention.k_proj.weight])
        fused = torch.cat([turned, self._half_turned(turned), attention.v_proj.weight])
        gate_up = torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight])
        return fused, attention.o_proj.weight, gate_up, mlp.down_proj.weight

    def _half_turned(self, weight: Tensor) -> Tensor:
        """Rows whose product is what rotary embedding multiplies with the sine: (-second half, first half) a head."""
        first, second = weight.view(-1, 2, self.width // 2, weight.shape[1]).unbind(1)
        return torch.stack([-second, first], 1).reshape(weight.shape)

    def states(self, tokens: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """States of the last layer, (rows, width), of one more token a row.

        Args:
            tokens, positions: (rows,).
        """
        cos, sin = self.cos[positions][:, None], self.sin[positions][:, None]
        x = F.embedding(tokens, self.embedding)
        for number, (fused, *others) in enumerate(self.layers):
            query_key, value = self.projected(x, fused, cos, sin, self.heads, self.kv_heads, self.dtype)
            attended = attend(number, query_key[:, : self.heads], query_key[:, self.heads :], value)
            x = self.finished(x, attended, *others)
        return F.layer_norm(x, x.shape[-1:])

    def logits(self, states: Tensor, temperature: float) -> Tensor:
        """Divided by the temperature, (rows, vocabulary), in the precision of the product."""
        return F.linear((states if temperature == 1 else states / temperature).to(self.dtype), self.head)


def _projected(
    x: Tensor, fused: Tensor, cos: Tensor, sin: Tensor, heads: int, kv_heads: int, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Queries and keys of a layer, one after the other, and values: (rows, heads, 1, width)."""
    rows, width = len(x), cos.shape[-1]
    turned = (heads + kv_heads) * width
    projected = F.linear(F.layer_norm(x, x.shape[-1:]), fused)
    straight = projected[:, :turned].view(rows, -1, width)
    quarter = projected[:, turned : 2 * turned].view(rows, -1, width)
    value = projected[:, 2 * turned :].view(rows, kv_heads, 1, width)
    return (straight * cos + quarter * sin).to(dtype)[:, :, None], value


def _finished(x: Tensor, attended: Tensor, out: Tensor, gate_up: Tensor, down: Tensor) -> Tensor:
    """What a layer gives, from what it was given and what its heads saw."""
    x = x + F.linear(attended.reshape(len(x), -1), out)
    gate, up = F.linear(F.layer_norm(x, x.shape[-1:]), gate_up).chunk(2, -1)
    return x + F.linear(F.silu(gate) * up, down)
