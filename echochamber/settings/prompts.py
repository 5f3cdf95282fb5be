"""How a question stands in a prompt, in RL and in evaluation alike."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from echochamber.schema import Settings

LONGEST = 10_000
"""Characters of each text that a grid file puts into prompts."""
Text = Annotated[str, Field(max_length=LONGEST)]
AS_DOCUMENTS = "\n\n"


class Examples(Settings):
    """Few-shot examples: the first questions of the train split, each with its answer; never the question itself."""

    count: PositiveInt
    answer: Text = "The answer is: {answer}"
    """What stands where the model's own text will: `{answer}` is the gold answer, `{solution}` the worked solution (of
    sets that have one: GSM8K, MATH, and with a `solution` column your own)."""

    @model_validator(mode="after")
    def _has_an_answer(self) -> Examples:
        if "{answer}" not in self.answer and "{solution}" not in self.answer:
            raise ValueError(f"answer: found {self.answer[:60]!r}, allowed: a text with {{answer}} or {{solution}}")
        return self


class Chat(Settings):
    """The model's own chat template: the question is the user's turn, and the model writes the assistant's."""

    system: Text | None = None
    """The system's turn; none: what the template does without one."""
    arguments: dict[str, bool | int | str] = Field(default_factory=dict)
    """What the template itself takes: `{enable_thinking: false}` of Qwen3."""


class PromptForm(Settings):
    """How a question stands in a prompt."""

    suffix: Annotated[str, Field(max_length=1000)] = AS_DOCUMENTS
    """Text after the question. As it is, the empty line that comes before the solution in a document. The paper's
    prompts have none (`""`): the model chooses between going on with the question and answering."""
    bos: bool | Literal["auto"] = "auto"
    """Put the tokenizer's start token before the prompt. `auto`: where there is a `template`, what the tokenizer's own
    rules put before any text; none elsewhere: documents and the paper's RL prompts have none, and a chat template
    writes its own."""
    template: Text | None = None
    """In place of the suffix, the whole prompt, or with `chat` the user's turn: a text with `{question}` in it."""
    chat: Chat | None = None
    """Ask by the model's own chat template (`chat: {}` as it is); none: as a text."""
    examples: Examples | None = None
    """Questions with their answers that come before: turns of the chat, or texts with an empty line between them."""

    @model_validator(mode="after")
    def _one_way(self) -> PromptForm:
        if self.template is not None and self.template.count("{question}") != 1:
            raise ValueError(f"template: found {self.template[:60]!r}, allowed: a text with {{question}} in it, once")
        if self.suffix != AS_DOCUMENTS and (self.template is not None or self.chat):
            raise ValueError(f"suffix: found {self.suffix!r} beside template or chat, allowed: one of them")
        if self.bos is True and self.chat:
            raise ValueError("bos: found true beside chat, allowed: auto, since a chat template writes its own")
        return self
