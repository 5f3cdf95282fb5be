"""The tokenizer."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from echochamber.corpora.locations import FITTING, missing_tokenizer
from echochamber.errors import UserError
from echochamber.jobs import downloads
from echochamber.models.imported import TOKENIZER
from echochamber.settings import HubTokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

UNKNOWN, PAD, END = "<unk>", "<pad>", "</s>"
"""Ids 0, 1, 2, as in the paper's configuration (Llama-2's end token is 2, OLMo's padding 1)."""
PAD_ID, END_ID = 1, 2

log = logging.getLogger(__name__)


def train_bpe(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE in which every digit is a token; any text survives a round trip, since each byte has a token.

    Args:
        vocabulary: upper limit on the number of tokens, the special ones and the 256 bytes included.
    """
    from transformers import PreTrainedTokenizerFast

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
    from transformers import AutoTokenizer  # it imports torch, which training a tokenizer needs none of

    return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)


def ready(settings: HubTokenizer, data: str) -> tuple[PreTrainedTokenizerBase, list[str]]:
    """A tokenizer that nobody here trains, with the padding token that the paper's models have (id 1).

    Args:
        data: the grid's folder of downloads.

    Returns:
        The tokenizer, and the tokens added beyond the vocabulary of the settings, which it is left without.

    Raises:
        UserError: it is not there (in full), or has another vocabulary or end token than the settings say.
    """
    from transformers import AutoTokenizer

    name_or_path = next((p for p in (settings.path, f"{data}/{settings.path}") if Path(p).is_dir()), settings.path)
    if Path(name_or_path).is_dir():
        downloads.refuse_lacking("tokenizer.path", Path(name_or_path), TOKENIZER)
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            name_or_path, revision=settings.revision, trust_remote_code=False
        )
    except Exception as error:  # whatever the network, or a library that speaks with it, makes of it
        raise UserError(f"{missing_tokenizer(settings, data)} ({type(error).__name__})") from None
    left_out: list[str] = []
    if len(tokenizer) > settings.vocabulary:
        tokenizer, left_out = without_added(tokenizer, settings.vocabulary)
    actual = {"vocabulary": len(tokenizer), "end": tokenizer.eos_token, "id of end": tokenizer.eos_token_id}
    wanted = {"vocabulary": settings.vocabulary, "end": settings.end, "id of end": END_ID}
    for key, value in wanted.items():
        if actual[key] != value:
            raise UserError(f"tokenizer.{key}: found {actual[key]!r} in {name_or_path}, allowed: {value!r} ({FITTING})")
    if left_out:
        log.info("tokens added beyond the vocabulary of %d are left out: %s", settings.vocabulary, ", ".join(left_out))
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(PAD_ID)  # Llama-2 has none
    return tokenizer, left_out


def without_added(tokenizer: PreTrainedTokenizerBase, vocabulary: int) -> tuple[PreTrainedTokenizerBase, list[str]]:
    """A tokenizer without the tokens that were added to it with ids from `vocabulary` on, and these tokens.

    Models of `vocabulary` tokens have no rows for them. The pieces of the tokenizer itself stay, whatever their ids.
    """
    from transformers import PreTrainedTokenizerFast

    pieces = json.loads(tokenizer.backend_tokenizer.to_str())
    beyond = {token["id"]: token["content"] for token in pieces["added_tokens"] if token["id"] >= vocabulary}
    pieces["added_tokens"] = [token for token in pieces["added_tokens"] if token["id"] not in beyond]
    roles = {
        role: str(token)
        for role in ("unk_token", "bos_token", "eos_token", "pad_token")
        if (token := getattr(tokenizer, role)) is not None and str(token) not in beyond.values()
    }
    bare = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(pieces)), clean_up_tokenization_spaces=False, **roles
    )
    return bare, [beyond[number] for number in sorted(beyond)]
