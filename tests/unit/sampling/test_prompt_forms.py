"""Templates, chat templates, few-shot examples and start tokens, against what `transformers` itself makes of them."""

import subprocess
import sys
from dataclasses import dataclass

import pytest
import torch
from pydantic import ValidationError
from rl_toys import tiny_model
from tokenizers import AddedToken
from tokenizers.processors import TemplateProcessing
from transformers import GenerationConfig

import echochamber
from echochamber.data.tokenizer import train_bpe
from echochamber.errors import UserError
from echochamber.sampling.generate import generate
from echochamber.sampling.prompts import encode_questions, end_and_padding
from echochamber.settings import PromptForm, Sampling

CHAT = (
    "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% if quiet %}<quiet>{% endif %}{% endif %}"
)
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}x"


@dataclass(frozen=True)
class Question:
    question: str
    answer: str
    solution: str | None = None
    question_id: str = "q"


ASKED = [Question(f"What is {i} + {i}?", str(2 * i), f"{i} and {i} are {2 * i}.") for i in range(6)]


@pytest.fixture
def tokenizer():
    """Like Llama-3's: a start token by its own rules, turns of special tokens, a template."""
    tokenizer = train_bpe([f"{q.question}\n\n{q.solution} Answer: user assistant" for q in ASKED], 400)
    marks = ["<|begin|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
    tokenizer.add_special_tokens({"additional_special_tokens": [AddedToken(mark, special=True) for mark in marks]})
    tokenizer.bos_token = "<|begin|>"
    begin = tokenizer.convert_tokens_to_ids("<|begin|>")
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|begin|> $A", special_tokens=[("<|begin|>", begin)]
    )
    tokenizer.chat_template = CHAT
    return tokenizer


def decoded(tokenizer, form, question=ASKED[0], examples=()):
    (ids,) = encode_questions(tokenizer, [question], form, examples)
    return tokenizer.decode(ids)


def test_a_template_stands_around_the_question_after_the_tokenizers_own_start(tokenizer):
    template = "Q: {question}\nAnswer:"
    for bos, start in (("auto", "<|begin|>"), (True, "<|begin|>"), (False, "")):
        form = PromptForm(template=template, bos=bos)
        assert decoded(tokenizer, form) == f"{start}Q: What is 0 + 0?\nAnswer:"
    (ids,) = encode_questions(tokenizer, [ASKED[0]], PromptForm(template=template))
    assert ids == tokenizer("Q: What is 0 + 0?\nAnswer:")["input_ids"]
    assert decoded(tokenizer, PromptForm()) == "What is 0 + 0?\n\n"  # a document has none


def test_braces_of_a_question_are_text(tokenizer):
    asked = Question(r"What is \frac{1}{2} of {question}?", "1")
    assert decoded(tokenizer, PromptForm(template="{question} =", bos=False), asked) == asked.question + " ="


def test_the_chat_template_is_the_models_own(tokenizer):
    (ids,) = encode_questions(tokenizer, [ASKED[1]], PromptForm(chat={"system": "Be brief."}))
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": ASKED[1].question}]
    assert ids == tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
    assert tokenizer.decode(ids) == (
        "<|begin|><|system|>\nBe brief.<|end|>\n<|user|>\nWhat is 1 + 1?<|end|>\n<|assistant|>\n"
    )
    quiet = PromptForm(chat={"arguments": {"quiet": True}}, template="{question} Say one number.")
    assert decoded(tokenizer, quiet).endswith("<|user|>\nWhat is 0 + 0? Say one number.<|end|>\n<|assistant|>\n<quiet>")


def test_examples_are_turns_of_a_chat_or_texts_and_never_the_question_itself(tokenizer):
    form = PromptForm(chat={}, examples={"count": 2})
    assert decoded(tokenizer, form, ASKED[0], ASKED) == (
        "<|begin|><|user|>\nWhat is 1 + 1?<|end|>\n<|assistant|>\nThe answer is: 2<|end|>\n"
        "<|user|>\nWhat is 2 + 2?<|end|>\n<|assistant|>\nThe answer is: 4<|end|>\n"
        "<|user|>\nWhat is 0 + 0?<|end|>\n<|assistant|>\n"
    )
    text = PromptForm(template="Q: {question}\nA: ", bos=False, examples={"count": 1, "answer": "{solution}"})
    assert decoded(tokenizer, text, ASKED[3], ASKED) == (
        "Q: What is 0 + 0?\nA: 0 and 0 are 0.\n\nQ: What is 3 + 3?\nA: "
    )
    document = PromptForm(examples={"count": 1})
    assert decoded(tokenizer, document, ASKED[3], ASKED) == ("What is 0 + 0?\n\nThe answer is: 0\n\nWhat is 3 + 3?\n\n")


def test_what_a_tokenizer_or_a_question_lacks_is_one_line(tokenizer):
    with pytest.raises(UserError, match=r"examples\.count: found 9, allowed: up to the 5 other questions"):
        encode_questions(tokenizer, ASKED, PromptForm(examples={"count": 9}), ASKED)
    with pytest.raises(UserError, match=r"found '<\|end\|>', a special token of the tokenizer, in 'What <\|end\|>"):
        encode_questions(tokenizer, [Question("What <|end|> is?", "1")], PromptForm(chat={}))
    unsolved = [Question("a", "1"), Question("b", "2")]
    with pytest.raises(UserError, match=r"examples\.answer: found \{solution\}, which q has not"):
        encode_questions(tokenizer, unsolved, PromptForm(examples={"count": 1, "answer": "{solution}"}), unsolved)
    tokenizer.chat_template = NO_SYSTEM
    with pytest.raises(UserError, match=r"the model's template refuses the turns \('System role not supported'\)"):
        encode_questions(tokenizer, ASKED, PromptForm(chat={"system": "s"}))
    tokenizer.chat_template = None
    with pytest.raises(UserError, match="chat: found a tokenizer without a chat template, allowed: `template`"):
        encode_questions(tokenizer, ASKED, PromptForm(chat={}))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"template": "Answer:"}, "template: found 'Answer:', allowed: a text with {question} in it, once"),
        ({"template": "{question}", "suffix": ""}, "suffix: found '' beside template or chat"),
        ({"chat": {}, "bos": True}, "bos: found true beside chat"),
        ({"examples": {"count": 1, "answer": "so"}}, "answer: found 'so', allowed: a text with {answer} or {solution}"),
    ],
)
def test_forms_that_contradict_themselves(settings, said):
    with pytest.raises(ValidationError) as error:
        PromptForm(**settings)
    assert said in str(error.value)


def test_every_end_token_of_generation_config_ends_a_completion(tokenizer):
    model = tiny_model(vocabulary=40)
    model.generation_config = GenerationConfig(eos_token_id=[7, 2, 9], pad_token_id=1)
    ends, pad = end_and_padding(tokenizer, model.generation_config)
    assert (ends, pad) == ((2, 7, 9), 1)
    drawn = {}
    for fixed in (False, True):
        drawn[fixed] = generate(
            model,
            [[3, 4], [5]],
            samples=40,
            sampling=Sampling(temperature=1.0, max_new_tokens=24),
            eos=ends,
            pad=pad,
            generator=torch.Generator().manual_seed(0),
            fixed_shapes=fixed,
        )
        last = {row[-1] for row, done in zip(drawn[fixed].completions, drawn[fixed].finished, strict=True) if done}
        assert last == {2, 7, 9}
        assert not any(set(row[:-1]) & {2, 7, 9} for row in drawn[fixed].completions)


def test_what_is_public_is_read_when_it_is_asked_for():
    assert echochamber.encode_questions is encode_questions
    assert echochamber.PromptForm is PromptForm
    assert {"encode_questions", "PromptForm"} <= set(dir(echochamber))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        echochamber.nothing  # noqa: B018
    light = "import sys, echochamber, echochamber.grid.parsing; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", light], check=False).returncode == 0
