"""Tiny random models of other people, as folders that `save_pretrained` wrote."""

from pathlib import Path

from rl_toys import tiny_model
from transformers import GenerationConfig

from echochamber.data.tokenizer import train_bpe

TEXTS = [f"What is {i} + {i}, Ann? The answer is: {2 * i}. \\boxed{{{i}}}\n\n" for i in range(40)]


CHAT = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def save(folder: Path, architecture: str = "olmo") -> Path:
    """A model of an architecture of `rl_toys`, with a tokenizer of 324 tokens and a chat template, whose turns have an
    end token of their own."""
    tokenizer = train_bpe(TEXTS, 320)
    marks = ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
    tokenizer.add_special_tokens({"additional_special_tokens": marks})
    tokenizer.chat_template = CHAT
    model = tiny_model(architecture, vocabulary=len(tokenizer))
    end = tokenizer.convert_tokens_to_ids("<|end|>")
    model.generation_config = GenerationConfig(eos_token_id=[end, tokenizer.eos_token_id])
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
