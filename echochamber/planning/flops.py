"""Parameters and FLOPs of a decoder from its settings alone. Imports no torch.

The convention is that of Chowdhery et al. 2022 (PaLM), appendix B: a product of a weight and a token is 2 FLOPs, the
backward pass costs twice the forward pass, and attention counts all keys, causal or not:

    training    6 N' + 12 L d T   per token of a sequence of T tokens
    forward     2 N' +  4 L d t   per token that looks at t keys

L layers of width d. N' are the weights without an input embedding that is a look-up and no product (one that is not
tied to the output).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from echochamber.settings import Scale


@dataclass(frozen=True)
class Shape:
    """The size of a decoder."""

    parameters: int
    """Trained weights; a tied matrix counts once."""
    looked_up: int
    """Those of an input embedding that is not tied to the output."""
    layers: int
    width: int
    kv_width: int
    """Of the keys of one token in one layer: heads times their width."""
    intermediate: int
    vocabulary: int

    @property
    def multiplied(self) -> int:
        """N' of the formula."""
        return self.parameters - self.looked_up


def olmo(scale: Scale, vocabulary: int) -> Shape:
    """The shape of `models.architecture.build`: four square matrices of attention and three of SwiGLU a layer."""
    embedding = vocabulary * scale.width
    layer = 4 * scale.width**2 + 3 * scale.width * scale.intermediate
    return Shape(
        parameters=embedding * (1 if scale.tied else 2) + scale.layers * layer,
        looked_up=0 if scale.tied else embedding,
        layers=scale.layers,
        width=scale.width,
        kv_width=scale.width,
        intermediate=scale.intermediate,
        vocabulary=vocabulary,
    )


TIED = ("gpt2", "opt", "bloom", "gemma", "gemma2", "gemma3_text")
"""Model types whose embeddings are one matrix where config.json does not say."""


def of_folder(folder: Path) -> Shape | None:
    """The shape of a model in a Hugging Face folder: from config.json, and the headers of its weights where they are
    there; None without the former."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        shapes = [shape for path in sorted(folder.glob("*.safetensors")) for shape in _tensor_shapes(path)]
        shape = of_config(config)
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
        return None
    return replace(shape, parameters=sum(map(_size, shapes))) if shapes else shape


def of_config(config: dict[str, Any]) -> Shape:
    """The shape that a config.json of `transformers` says; its parameters without biases and norms, a per mille.

    Raises:
        KeyError: it lacks a size.
    """

    def size(name: str, other: str) -> int:
        return int(config[name] if name in config else config[other])

    width, layers = size("hidden_size", "n_embd"), size("num_hidden_layers", "n_layer")
    heads, vocabulary = size("num_attention_heads", "n_head"), int(config["vocab_size"])
    intermediate = int(config.get("intermediate_size") or config.get("ffn_dim") or config.get("n_inner") or 4 * width)
    head_width = int(config.get("head_dim") or width // heads)
    kv_width = int(config.get("num_key_value_heads") or heads) * head_width
    gated = config.get("hidden_act") in ("silu", "swish") or "gemma" in str(config.get("model_type"))
    layer = 2 * width * heads * head_width + 2 * width * kv_width + (3 if gated else 2) * width * intermediate
    embedding = vocabulary * width
    tied = config.get("tie_word_embeddings", config.get("model_type") in TIED)
    return Shape(
        parameters=embedding * (1 if tied else 2) + layers * layer,
        looked_up=0 if tied else embedding,
        layers=layers,
        width=width,
        kv_width=kv_width,
        intermediate=intermediate,
        vocabulary=vocabulary,
    )


def _tensor_shapes(path: Path) -> list[list[int]]:
    """Shapes of the tensors of a safetensors file: its header is JSON after eight bytes that give its length."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return [tensor["shape"] for name, tensor in header.items() if name != "__metadata__"]


def _size(shape: list[int]) -> int:
    size = 1
    for side in shape:
        size *= side
    return size


def training_per_token(shape: Shape, sequence_length: float) -> float:
    """FLOPs of a forward and backward pass, per token: 6 N' + 12 L d T."""
    return 6.0 * shape.multiplied + 12.0 * shape.layers * shape.width * sequence_length


def forward_per_token(shape: Shape, keys: float) -> float:
    """FLOPs of a forward pass, per token that looks at `keys` tokens: 2 N' + 4 L d t, a third of training."""
    return 2.0 * shape.multiplied + 4.0 * shape.layers * shape.width * keys


def generation(shape: Shape, *, prompts: float, samples: float, prompt: float, completion: float) -> float:
    """FLOPs of decoding with a key-value cache.

    Args:
        prompts: how many, each encoded once.
        samples: completions of each.
        prompt, completion: mean lengths in tokens; a token of the completion looks at all tokens before it.
    """
    encoding = prompt * forward_per_token(shape, prompt)
    decoding = completion * forward_per_token(shape, prompt + completion / 2)
    return prompts * (encoding + samples * decoding)
