"""Texts to tokens: the same for documents and for prompts."""

from __future__ import annotations

from tokenizers import Tokenizer


def encode(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    """Token ids of texts, as they are: nothing added, and a written-out "</s>" is text, not the end token."""
    before, tokenizer.encode_special_tokens = tokenizer.encode_special_tokens, True
    try:
        return [encoding.ids for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
    finally:
        tokenizer.encode_special_tokens = before
