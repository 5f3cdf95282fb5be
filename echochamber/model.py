"""The OLMo architecture at any scale, with the paper's initialisation, and what it costs.

`transformers`' OlmoForCausalLM is the paper's model exactly: rotary positions (theta 1e4), no biases, layer norm
without parameters (epsilon 1e-5), SwiGLU, no dropout.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    OlmoConfig,
    OlmoForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from echochamber import imported
from echochamber.job import UserError
from echochamber.settings import Scale


def config(scale: Scale, *, vocabulary: int, context: int, eos: int, pad: int) -> OlmoConfig:
    """The model's configuration.

    Args:
        vocabulary: number of tokens.
        context: longest sequence, in tokens, that the model is meant for.
        eos, pad: ids of the end and the padding token (the paper's: 2 and 1).
    """
    return OlmoConfig(
        vocab_size=vocabulary,
        hidden_size=scale.width,
        intermediate_size=scale.intermediate,
        num_hidden_layers=scale.layers,
        num_attention_heads=scale.heads,
        max_position_embeddings=context,
        rope_theta=10000.0,
        attention_bias=False,
        attention_dropout=0.0,
        clip_qkv=None,
        hidden_act="silu",
        initializer_range=0.02,
        tie_word_embeddings=scale.tied,
        bos_token_id=None,
        eos_token_id=eos,
        pad_token_id=pad,
    )


def build(scale: Scale, *, vocabulary: int, context: int, eos: int, pad: int, seed: int) -> OlmoForCausalLM:
    """A model with fresh weights: normal with deviation 0.02, cut at three deviations (paper, section "Models")."""
    model = OlmoForCausalLM(config(scale, vocabulary=vocabulary, context=context, eos=eos, pad=pad))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            torch.nn.init.trunc_normal_(weight, std=0.02, a=-0.06, b=0.06, generator=generator)
    return model


def parameters(model: torch.nn.Module) -> int:
    """Number of trained weights; a tied matrix counts once."""
    return sum(weight.numel() for weight in model.parameters())


def training_flops_per_token(model: torch.nn.Module, sequence_length: int) -> float:
    """FLOPs of a forward and backward pass, per token: 6 N' + 12 L d T (Chowdhery et al. 2022, appendix B).

    N' leaves out an input embedding that is a look-up and no product (one that is not tied to the output).
    """
    c = model.config
    looked_up = 0 if c.tie_word_embeddings else c.vocab_size * c.hidden_size
    return 6.0 * (parameters(model) - looked_up) + 12.0 * c.num_hidden_layers * c.hidden_size * sequence_length


def decoding_bytes_per_step(model: torch.nn.Module, *, rows: int, tokens: float, bytes_per_number: int) -> float:
    """What decoding one token for each of `rows` has to read: every matrix once, and every row's keys and values.

    No decoder is faster than these bytes over the memory's bandwidth. An input embedding that is not tied to the output
    is looked up, not read.

    Args:
        tokens: mean length of a row so far, prompt included.
        bytes_per_number: 2 in bf16, 4 in fp32.
    """
    c = model.config
    looked_up = 0 if c.tie_word_embeddings else c.vocab_size * c.hidden_size
    key_value_width = c.hidden_size // c.num_attention_heads * c.num_key_value_heads
    cache = rows * tokens * 2 * c.num_hidden_layers * key_value_width
    return bytes_per_number * (parameters(model) - looked_up + cache)


def share_of_decoding_limit(tokens_per_second: float, rows: int, bytes_per_step: float, bandwidth: float) -> float:
    """Measured speed over that of a decoder which only reads `bytes_per_step`, at `bandwidth` bytes per second."""
    return tokens_per_second / (rows * bandwidth / bytes_per_step)


def find(place: dict[str, Any]) -> Path:
    """The folder of one model, from a spec's {"checkpoints": folder, "step": N or "last"} or, for one that the grid did
    not train, {"model": folder or repository, "revision": its, "data": folder of downloads}."""
    if "model" in place:
        return _imported(place)
    return checkpoints(place | {"steps": [place["step"]]})[0][1]


def checkpoints(place: dict[str, Any]) -> list[tuple[int, Path]]:
    """(step, folder) of the checkpoints that a spec names, by step.

    `steps` is a list of numbers and "last", or None for all of them. An imported model has the one step 0.
    """
    if "model" in place:
        return [(0, _imported(place))]
    folder = Path(place["checkpoints"])
    found = {int(path.name.removeprefix("step_")): path for path in sorted(folder.glob("step_*"))}
    steps = list(found) if place["steps"] is None else place["steps"]
    wanted = [max(found, default=0) if step == "last" else step for step in steps]
    missing = [step for step in wanted if step not in found]
    if missing or not wanted:
        raise UserError(f"{folder}: found steps {sorted(found)}, wanted {missing or 'any'}")
    return [(step, found[step]) for step in sorted(set(wanted))]


def _imported(place: dict[str, Any]) -> Path:
    try:
        return imported.find(place["model"], place["revision"], place["data"])
    except FileNotFoundError as error:
        raise UserError(str(error)) from None


def load(folder: Path, device: torch.device) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A causal language model in fp32 and its tokenizer, from a Hugging Face folder."""
    try:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).to(device)
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError) as error:
        line = str(error).strip().splitlines()[0]
        raise UserError(f"{folder}: no model there ({line}), allowed: a Hugging Face folder of a causal LM") from None
    if tokenizer.eos_token_id is None:
        raise UserError(f"{folder}: its tokenizer has no end token, allowed: one that has")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model, tokenizer
