"""Questions to prompts, and completions back to text: the one way for RL, evaluation and people's own scripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError

from echochamber.errors import UserError, shortened
from echochamber.models.encoding import encode
from echochamber.models.generation_defaults import end_tokens
from echochamber.sampling.completions import Completions
from echochamber.settings import Examples, PromptForm

if TYPE_CHECKING:
    from transformers import GenerationConfig

BETWEEN_EXAMPLES = "\n\n"


@dataclass(frozen=True)
class Shot:
    """A question with the text that answers it, as an example."""

    question: str
    answer: str


def decode(tokenizer: Any, drawn: Completions) -> list[str]:
    """The text of each completion, without the end token: all that a verifier sees."""
    bare = [ids[:-1] if done else ids for ids, done in zip(drawn.completions, drawn.finished, strict=True)]
    return tokenizer.batch_decode(bare, skip_special_tokens=False, clean_up_tokenization_spaces=False)


def end_and_padding(tokenizer: Any, generation: GenerationConfig | None = None) -> tuple[tuple[int, ...], int]:
    """Ids of the end tokens and of the padding token (the tokenizer's end token where there is no other).

    Args:
        generation: of a model; it may name more end tokens than the tokenizer: a chat model ends its turn with one and
            a document with another.
    """
    pad = tokenizer.pad_token_id
    return end_tokens(tokenizer, generation), tokenizer.eos_token_id if pad is None else pad


def encode_questions(
    tokenizer: Any, questions: Sequence[Any], form: PromptForm | None = None, examples: Sequence[Any] = ()
) -> list[list[int]]:
    """The prompts of questions, as token ids: to the token what RL and evaluation give a model.

        tokenizer = AutoTokenizer.from_pretrained(checkpoint)
        (prompt,) = echochamber.encode_questions(tokenizer, ["What is 2 + 3?"], echochamber.PromptForm(chat={}))
        model.generate(torch.tensor([prompt]), do_sample=False)

    A question with a suffix stands in the tokens that it has in a document, where a special token that is written out
    is text. In a template, and in a model's own chat template, special tokens are what they say.

    Args:
        questions: texts, or objects with a `question`.
        form: how they stand in prompts; none: an empty line after them, as in a document.
        examples: for `form.examples`, questions of the train split in their order: objects with `question`, `answer`
            and, where it is shown, `solution`. None is shown with itself.

    Raises:
        UserError: the tokenizer lacks what the form wants (a start token, a chat template), there are too few examples,
            or a question holds a special token where that would be read as one.
    """
    form = form or PromptForm()
    asked = [question if isinstance(question, str) else question.question for question in questions]
    shots = [_shots(form.examples, examples, question) for question in asked]
    if form.chat or form.template is not None:
        every = {*asked, *(text for row in shots for shot in row for text in (shot.question, shot.answer))}
        _refuse_special(tokenizer, sorted(every))
    if form.chat:
        texts = [_chat(tokenizer, form, question, row) for question, row in zip(asked, shots, strict=True)]
        return _with_special(tokenizer, texts)
    texts = [
        BETWEEN_EXAMPLES.join([*(_turn(form, shot.question) + shot.answer for shot in row), _turn(form, question)])
        for question, row in zip(asked, shots, strict=True)
    ]
    written = _with_special if form.template is not None else _as_text
    start = _start(tokenizer, form)
    return [start + ids for ids in _unfinished(tokenizer, texts, written)]


def _turn(form: PromptForm, question: str) -> str:
    """A question with the text around it."""
    if form.template is not None:
        return form.template.replace("{question}", question)
    return question if form.chat else question + form.suffix


def _shots(settings: Examples | None, examples: Sequence[Any], question: str) -> list[Shot]:
    """The examples that stand before a question."""
    if settings is None:
        return []
    others = [example for example in examples if example.question != question][: settings.count]
    if len(others) < settings.count:
        raise UserError(
            f"examples.count: found {settings.count}, allowed: up to the {len(others)} other questions that there are"
        )
    shots = []
    for example in others:
        text = settings.answer.replace("{answer}", example.answer)
        if "{solution}" in text:
            if example.solution is None:
                raise UserError(f"examples.answer: found {{solution}}, which {example.question_id} has not")
            text = text.replace("{solution}", example.solution)
        shots.append(Shot(example.question, text))
    return shots


def _start(tokenizer: Any, form: PromptForm) -> list[int]:
    """What stands before a prompt that is no chat."""
    if form.bos == "auto":
        return _own_start(tokenizer) if form.template is not None else []
    if form.bos and tokenizer.bos_token_id is None:
        raise UserError("bos: found true, allowed: false, since the tokenizer has no start token")
    return [tokenizer.bos_token_id] if form.bos else []


def _own_start(tokenizer: Any) -> list[int]:
    """What the tokenizer's own rules put before any text: Llama's and Gemma's start token, nothing of Qwen's."""
    ruled, bare = tokenizer("a")["input_ids"], tokenizer("a", add_special_tokens=False)["input_ids"]
    return next((ruled[:i] for i in range(len(ruled)) if ruled[i : i + len(bare)] == bare), [])


def _chat(tokenizer: Any, form: PromptForm, question: str, shots: Sequence[Shot]) -> str:
    """A conversation up to where the model answers, by its own template."""
    if form.chat is None or not tokenizer.chat_template:
        raise UserError("chat: found a tokenizer without a chat template, allowed: `template`, a text with {question}")
    turns = [{"role": "system", "content": form.chat.system}] if form.chat.system is not None else []
    for shot in shots:
        turns.append({"role": "user", "content": _turn(form, shot.question)})
        turns.append({"role": "assistant", "content": shot.answer})
    turns.append({"role": "user", "content": _turn(form, question)})
    try:
        text: str = tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=True, **form.chat.arguments
        )
    except TemplateError as error:
        raise UserError(f"chat: the model's template refuses the turns ({shortened(str(error))})") from None
    return text


def _refuse_special(tokenizer: Any, texts: Sequence[str]) -> None:
    """Raises UserError for a text that would end a turn, or begin another, inside of one."""
    special = [token for token in tokenizer.all_special_tokens if token]
    special += [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    for text in texts:
        if token := next((token for token in special if token in text), None):
            raise UserError(
                f"question: found {token!r}, a special token of the tokenizer, in {shortened(text)}, allowed: text"
            )


def _as_text(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    return encode(tokenizer.backend_tokenizer, texts)


def _with_special(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    ids: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return ids


def _unfinished(
    tokenizer: Any, texts: list[str], written: Callable[[Any, list[str]], list[list[int]]]
) -> list[list[int]]:
    """Tokens of texts that go on.

    Many tokenizers join two line breaks at the end of a text and keep them apart before a word, so that a prompt
    encoded by itself would end in a token that never stood there in pretraining: it is encoded with a letter after it.
    """
    alone = written(tokenizer, texts)
    if not any(text[-1:].isspace() for text in texts):
        return alone
    followed = [ids[:-1] for ids in written(tokenizer, [text + "x" for text in texts])]
    same = zip(tokenizer.batch_decode(followed), tokenizer.batch_decode(alone), strict=True)
    return [
        ids if one == other else by_itself for ids, by_itself, (one, other) in zip(followed, alone, same, strict=True)
    ]
