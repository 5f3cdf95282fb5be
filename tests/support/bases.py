"""Tiny random checkpoints laid out as those of well-known open models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import checkpoints
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GemmaConfig,
    GenerationConfig,
    GPTNeoXConfig,
    LlamaConfig,
    Olmo2Config,
    OlmoConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

from echochamber.data.tokenizer import train_bpe

MARKS = ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]


@dataclass(frozen=True)
class Base:
    """What is peculiar to a checkpoint."""

    config: Callable[..., PreTrainedConfig]
    tied: bool
    peculiar: dict[str, Any] = field(default_factory=dict)
    bf16: bool = False
    sharded: bool = False
    padding_side: str = "left"
    ends: int = 2
    """End tokens of generation_config; 0: it has no such file."""
    says: dict[str, Any] = field(default_factory=dict)
    """What else generation_config says."""
    spare: int = 0
    """Rows of the embeddings beyond the tokenizer's tokens."""


GQA = {"num_key_value_heads": 2}
BASES = {
    "olmo": Base(OlmoConfig, tied=False, ends=0),
    "olmo-tied-sharded": Base(OlmoConfig, tied=True, sharded=True, ends=1),
    "olmo2": Base(Olmo2Config, tied=False, padding_side="right"),
    "llama": Base(LlamaConfig, tied=False, peculiar=GQA, bf16=True, says={"do_sample": True, "temperature": 0.6}),
    "llama-tied-sharded": Base(LlamaConfig, tied=True, peculiar=GQA, sharded=True, padding_side="right"),
    "qwen2": Base(
        Qwen2Config, tied=True, peculiar=GQA, bf16=True, says={"repetition_penalty": 1.1, "do_sample": True}, spare=60
    ),
    "qwen3": Base(Qwen3Config, tied=False, peculiar=GQA | {"head_dim": 8}, says={"top_k": 20, "do_sample": True}),
    "gpt_neox": Base(GPTNeoXConfig, tied=False, ends=1, padding_side="right"),
    "gemma": Base(GemmaConfig, tied=True, peculiar=GQA | {"head_dim": 8}, bf16=True, sharded=True),
    "gemma2": Base(Gemma2Config, tied=True, peculiar=GQA | {"head_dim": 8, "sliding_window": 8}),
}


def tokenizer(padding_side: str) -> PreTrainedTokenizerFast:
    """320 trained tokens, four added ones, and a chat template."""
    trained = train_bpe(checkpoints.TEXTS, 320)
    trained.add_special_tokens({"additional_special_tokens": MARKS})
    trained.chat_template = checkpoints.CHAT
    trained.padding_side = padding_side
    return trained


def save(folder: Path, name: str, **says: Any) -> Path:
    """Write a base.

    Args:
        says: what generation_config says besides.
    """
    base, tokens = BASES[name], tokenizer(BASES[name].padding_side)
    ends = [tokens.convert_tokens_to_ids("<|end|>"), tokens.eos_token_id][: base.ends]
    common = {
        "vocab_size": len(tokens) + base.spare,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "max_position_embeddings": 256,
        "tie_word_embeddings": base.tied,
        "bos_token_id": None,
        "eos_token_id": tokens.eos_token_id,
        "pad_token_id": tokens.pad_token_id,
    }
    torch.manual_seed(7)
    model = AutoModelForCausalLM.from_config(base.config(**common | base.peculiar), dtype=torch.float32)
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if weight.ndim == 2:  # Gemma multiplies embeddings itself, and tied ones would repeat the last token
                weight.mul_(1.0 if "gemma" in name and "embed" in key else 8.0)
    model.generation_config = GenerationConfig(eos_token_id=ends, **base.says | says)
    if base.bf16:
        model.to(torch.bfloat16)
    model.save_pretrained(folder, max_shard_size="20KB" if base.sharded else "1GB")
    tokens.save_pretrained(folder)
    if not ends:
        (folder / "generation_config.json").unlink()
    return folder
