"""From prompts to rewards: what a prompt is, what the verifier sees, what the controls pay."""

import math

import torch
from rl_toys import Question, letters, verify_letters
from rl_trainers import settings, toy_model

from echochamber.data.tokenizer import train_bpe
from echochamber.formats import FORMATS
from echochamber.models.encoding import encode
from echochamber.rl import rollout
from echochamber.rl.rewards import Judged, earned
from echochamber.rl.step import Trainer
from echochamber.sampling.draw import random_stream
from echochamber.sampling.prompts import encode_questions

CPU = torch.device("cpu")


# --- what the verifier sees ------------------------------------------------------------------------------------------


def test_the_verifier_sees_the_completion_and_nothing_else(monkeypatch):
    calls = []

    def spy(completions, golds, *, scorer="executed", finished=None, truncated="wrong", stop=None):
        calls.append((completions, golds, finished))
        return verify_letters(completions, golds)

    monkeypatch.setattr(rollout, "verify_batch", spy)
    tokenizer = letters()
    questions = [Question("gggggggg?" + "12345"[i % 5], f"gold{i}") for i in range(6)]
    prompts = encode_questions(tokenizer, questions)
    trainer = Trainer(settings(), toy_model(), tokenizer, 6, 0, CPU)
    drawn = rollout.collect(
        trainer.policy,
        tokenizer,
        prompts,
        questions,
        samples=4,
        sampling=settings().sampling,
        reward="executed",
        truncated="wrong",
        seed=0,
        step=1,
    )
    ((completions, golds, finished),) = calls
    assert golds == [f"gold{i}" for i in range(6) for _ in range(4)]
    assert finished == drawn.finished
    assert any(finished)
    assert not all(finished)
    for text, ids, end in zip(completions, drawn.completions, finished, strict=True):
        assert text == tokenizer.decode(ids[:-1] if end else ids)
        assert "</s>" not in text
        assert "ggggg" not in text


def test_prompts_have_the_tokens_that_they_have_in_a_document():
    documents = [f"How many does {name} have?\n\n{begin}" for name in ("Tom", "Ann") for begin in ("So 3.", "def f():")]
    tokenizer = train_bpe(documents * 20, 320)
    prompt, alone = "How many does Tom have?", encode(tokenizer.backend_tokenizer, ["How many does Tom have?\n\n"])[0]
    (found,) = encode_questions(tokenizer, [Question(prompt, "3")])
    for begin in ("So 3.", "def f():"):
        assert encode(tokenizer.backend_tokenizer, [f"{prompt}\n\n{begin}"])[0][: len(found)] == found
    assert tokenizer.decode(found) == tokenizer.decode(alone) == prompt + "\n\n"


# --- rewards ---------------------------------------------------------------------------------------------------------


def test_controls():
    verdicts = verify_letters(["dxa", "d", "aa", "a", "", "b"] * 500, [""] * 3000)

    def pay(reward, step=1):
        return earned(reward, Judged([], [], [], [], verdicts, 1, random_stream(0, "reward", step)))[0]

    assert pay("executed").tolist() == [float(verdict.correct) for verdict in verdicts]
    for name in FORMATS:
        assert pay(f"format:{name}").tolist() == [float(verdict.format == name) for verdict in verdicts]
    coin = pay("random")
    assert set(coin.tolist()) == {0.0, 1.0}
    assert abs(coin.mean() - 0.5) < 4 * 0.5 / math.sqrt(3000)
    assert torch.equal(coin, pay("random"))
    assert not torch.equal(coin, pay("random", step=2))
