"""One decoding step of OLMo, in a third of the operations of the general module.

Differs from `transformers`' module in form, not in value: queries, keys, values and the rotated halves of the first
two come out of one matrix product, gate and up projection out of another, and what is the same in every step is made
once. Inference only; other architectures, and the prompt, go through the module itself.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import OlmoForCausalLM, PreTrainedModel
from transformers.cache_utils import Cache


def applies_to(model: PreTrainedModel) -> bool:
    config = model.config
    return (
        type(model) is OlmoForCausalLM
        and config.clip_qkv is None
        and not config.attention_bias
        and config.hidden_act == "silu"
        and config.rope_parameters["rope_type"] == "default"
    )


class OlmoDecoder:
    """A copy of the weights in the form that a step takes; stale once the model is trained further."""

    @torch.no_grad()
    def __init__(self, model: OlmoForCausalLM, positions: int) -> None:
        """`positions`: upper limit on the length of prompt and completion."""
        config, device = model.config, model.device
        kind = device.type
        self.dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else model.dtype
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.width = config.hidden_size // config.num_attention_heads
        self.embedding = model.model.embed_tokens.weight
        self.layers = []
        for layer in model.model.layers:
            attention, mlp = layer.self_attn, layer.mlp
            turned = torch.cat([attention.q_proj.weight, attention.k_proj.weight])
            fused = torch.cat([turned, self._half_turned(turned), attention.v_proj.weight])
            gate_up = torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight])
            weights = (fused, attention.o_proj.weight, gate_up, mlp.down_proj.weight)
            self.layers.append(tuple(weight.to(self.dtype) for weight in weights))
        angles = model.model.rotary_emb(self.embedding, torch.arange(positions, device=device)[None])
        self.cos, self.sin = (table[0] for table in angles)

    def _half_turned(self, weight: Tensor) -> Tensor:
        """Rows whose product is what rotary embedding multiplies with the sine: (-second half, first half) a head."""
        first, second = weight.view(-1, 2, self.width // 2, weight.shape[1]).unbind(1)
        return torch.stack([-second, first], 1).reshape(weight.shape)

    def states(self, tokens: Tensor, positions: Tensor, mask: Tensor | None, cache: Cache) -> Tensor:
        """States of the last layer, (rows, width), of one more token a row; its keys and values go into `cache`.

        Args:
            tokens, positions: (rows,).
            mask: None or what is added to attention, (rows, 1, 1, keys).
        """
        rows, heads, kv_heads, width = len(tokens), self.heads, self.kv_heads, self.width
        cos, sin = self.cos[positions][:, None], self.sin[positions][:, None]
        turned = (heads + kv_heads) * width
        x = F.embedding(tokens, self.embedding)
        normed = x.shape[-1:]
        for layer, (fused, out, gate_up, down) in zip(cache.layers, self.layers, strict=True):
            projected = F.linear(F.layer_norm(x, normed), fused)
            straight = projected[:, :turned].view(rows, -1, width)
            quarter = projected[:, turned : 2 * turned].view(rows, -1, width)
            value = projected[:, 2 * turned :].view(rows, kv_heads, 1, width)
            query_key = (straight * cos + quarter * sin).to(self.dtype)[:, :, None]
            keys, values = layer.update(query_key[:, heads:], value)
            attended = F.scaled_dot_product_attention(
                query_key[:, :heads], keys, values, attn_mask=mask, enable_gqa=heads != kv_heads
            )
            x = x + F.linear(attended.reshape(rows, -1), out)
            gate, up = F.linear(F.layer_norm(x, normed), gate_up).chunk(2, -1)
            x = x + F.linear(F.silu(gate) * up, down)
        return F.layer_norm(x, normed)
