"""The tokenizer."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from echochamber import shards
from echochamber.corpora import hub
from echochamber.job import UserError
from echochamber.settings import HubTokenizer

UNKNOWN, PAD, END = "<unk>", "<pad>", "</s>"
"""Ids 0, 1, 2, as in the paper's configuration (Llama-2's end token is 2, OLMo's padding 1)."""
PAD_ID, END_ID = 1, 2


def train_bpe(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE in which every digit is a token; any text survives a round trip, since each byte has a token.

    Args:
        vocabulary: upper limit on the number of tokens, the special ones and the 256 bytes included.
    """
    tokenizer = Tokenizer(models.BPE(unk_token=None))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[UNKNOWN, PAD, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token=UNKNOWN, pad_token=PAD, eos_token=END, clean_up_tokenization_spaces=False
    )


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """A tokenizer from a folder, its own or a checkpoint's."""
    return AutoTokenizer.from_pretrained(folder)


def ready(settings: HubTokenizer, data: str) -> PreTrainedTokenizerBase:
    """A tokenizer that nobody here trains, with the padding token that the paper's models have (id 1).

    Args:
        data: the grid's folder of downloads.

    Raises:
        UserError: it is not there, or has another vocabulary or end token than the settings say.
    """
    place = next((p for p in (settings.path, f"{data}/{settings.path}") if Path(p).is_dir()), settings.path)
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, revision=settings.revision)
    except Exception as error:  # whatever the network, or a library that speaks with it, makes of it
        raise UserError(f"{hub.missing_tokenizer(settings, data)} ({type(error).__name__})") from None
    found = {"vocabulary": len(tokenizer), "end": tokenizer.eos_token, "id of end": tokenizer.eos_token_id}
    wanted = {"vocabulary": settings.vocabulary, "end": settings.end, "id of end": END_ID}
    for key, value in wanted.items():
        if found[key] != value:
            raise UserError(f"tokenizer.{key}: found {found[key]!r} in {place}, allowed: {value!r}")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(PAD_ID)  # Llama-2 has none
    return tokenizer


def encode(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    """Token ids of texts, as `echochamber.shards.encode` gives them."""
    return shards.encode(tokenizer.backend_tokenizer, texts)
