"""The OLMo architecture at any scale, with the paper's initialisation, and what it costs.

`transformers`' OlmoForCausalLM is the paper's model exactly: rotary positions (theta 1e4), no biases, layer norm
without parameters (epsilon 1e-5), SwiGLU, no dropout.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    OlmoConfig,
    OlmoForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from echochamber.errors import UserError
from echochamber.models.generation_defaults import keep_end_tokens_alone
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


def load(folder: Path, device: torch.device) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A causal language model in fp32 and its tokenizer, from a Hugging Face folder, whose own code never runs.

    Of its generation_config the tokens alone are kept (`models.generation_defaults`).

    Raises:
        UserError: no such model is there, a file is damaged, a weight is missing, NaN or infinite, or its tokenizer has
            no end token.
    """
    try:
        model, loaded = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, trust_remote_code=False, output_loading_info=True
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except MemoryError:
        raise
    except Exception as error:  # whatever the library makes of a folder that somebody else filled
        where = _damaged(folder) or folder
        line = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        raise UserError(f"{where}: no model there ({line}), allowed: a Hugging Face folder of a causal LM") from None
    if missing := sorted(loaded["missing_keys"]):  # the library would draw them at random
        raise UserError(
            f"{folder}: found no weights {missing[0]} ({len(missing)} are missing), "
            "allowed: all that its config.json asks for"
        )
    model = model.to(device)
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            raise UserError(f"{folder}: found NaN or infinity in the weights {name}, allowed: finite numbers")
    if tokenizer.eos_token_id is None:
        raise UserError(f"{folder}: its tokenizer has no end token, allowed: one that has")
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id >= model.get_input_embeddings().num_embeddings:
        tokenizer.pad_token = tokenizer.eos_token
    keep_end_tokens_alone(model, tokenizer)
    return model, tokenizer


def _damaged(folder: Path) -> Path | None:
    """The first file of weights that cannot be read."""
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, "pt"):
                pass
        except (OSError, SafetensorError):
            return path
    return None
