"""Tiny random models of other people, as folders that `save_pretrained` wrote."""

from pathlib import Path

from rl_toys import tiny_model

from echochamber.data.tokenizer import train_bpe

TEXTS = [f"What is {i} + {i}, Ann? The answer is: {2 * i}. \\boxed{{{i}}}\n\n" for i in range(40)]


def save(folder: Path, architecture: str = "olmo") -> Path:
    """A model of an architecture of `rl_toys`, with a tokenizer of 320 tokens."""
    tokenizer = train_bpe(TEXTS, 320)
    model = tiny_model(architecture, vocabulary=len(tokenizer))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
