"""Questions to prompts, and completions back to text."""

from __future__ import annotations

from typing import Any

from echochamber.errors import UserError
from echochamber.models.encoding import encode
from echochamber.sampling.completions import Completions
from echochamber.settings import PromptForm


def decode(tokenizer: Any, drawn: Completions) -> list[str]:
    """The text of each completion, without the end token: all that a verifier sees."""
    bare = [ids[:-1] if done else ids for ids, done in zip(drawn.completions, drawn.finished, strict=True)]
    return tokenizer.batch_decode(bare, skip_special_tokens=False, clean_up_tokenization_spaces=False)


def end_and_padding(tokenizer: Any) -> tuple[int, int]:
    """Ids of the end token and of the padding token (the end token where there is no other)."""
    pad = tokenizer.pad_token_id
    return tokenizer.eos_token_id, tokenizer.eos_token_id if pad is None else pad


def encode_questions(tokenizer: Any, questions: list[Any], form: PromptForm | None = None) -> list[list[int]]:
    """A prompt is the question and its suffix, in the tokens that they have in a document: no template.

    Many tokenizers join two line breaks at the end of a text and keep them apart before a word, so that a prompt
    encoded by itself would end in a token that never stood there in pretraining: it is encoded with a letter after it.

    Args:
        form: suffix and start token; none: an empty line, as in a document, and no start token.

    Raises:
        UserError: the tokenizer has no start token, and the form wants one.
    """
    form = form or PromptForm()
    start = [tokenizer.bos_token_id] if form.bos else []
    if start == [None]:
        raise UserError("bos: found true, allowed: false, since the tokenizer has no start token")
    texts = [question.question + form.suffix for question in questions]
    alone = encode(tokenizer.backend_tokenizer, texts)
    if not form.suffix[-1:].isspace():
        return [start + ids for ids in alone]
    followed = [ids[:-1] for ids in encode(tokenizer.backend_tokenizer, [text + "x" for text in texts])]
    same = zip(tokenizer.batch_decode(followed), tokenizer.batch_decode(alone), strict=True)
    return [
        start + (ids if one == other else by_itself)
        for ids, by_itself, (one, other) in zip(followed, alone, same, strict=True)
    ]
