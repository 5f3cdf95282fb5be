"""Truncated completions by name: wrong, judged, masked or penalised."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from rl_toys import QUESTIONS, letters, verify_letters
from rl_trainers import settings, toy_model

from echochamber.algorithms import algorithm, losses
from echochamber.algorithms.dapo import Dapo
from echochamber.rl import rollout
from echochamber.rl.batch import Batch
from echochamber.rl.rewards import overlong_penalty
from echochamber.rl.step import Trainer
from echochamber.sampling.prompts import encode_questions

CPU = torch.device("cpu")


def test_dapos_overlong_penalty():
    """Yu et al. 2025, equation 13, with 20 tokens at most and the last 5 of them penalised."""
    assert overlong_penalty([1, 15, 16, 18, 20], 20, 5).tolist() == pytest.approx([0, 0, -0.2, -0.6, -1])


def test_the_stretch_is_a_fifth_as_in_dapo_or_as_given():
    assert settings(truncated="penalise", sampling={"max_new_tokens": 20480}).overlong == 4096
    assert settings(truncated="penalise", sampling={"max_new_tokens": 3}).overlong == 1
    assert settings(truncated="penalise", overlong_tokens=7, sampling={"max_new_tokens": 20}).overlong == 7
    assert settings().overlong is None


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"overlong_tokens": 5}, "overlong_tokens: found 5 with truncated: wrong, allowed: with truncated: penalise"),
        (
            {"truncated": "penalise", "overlong_tokens": 2000},
            "overlong_tokens: found 2000, allowed: up to max_new_tokens, 1024",
        ),
        (
            {"truncated": "penalise", "reward": {"kind": "mixture", "parts": {"overlong": {"reward": "boxed"}}}},
            "reward: found a part 'overlong' with truncated: penalise, whose penalty has that name, allowed: other",
        ),
    ],
)
def test_a_stretch_that_cannot_be(more, said):
    with pytest.raises(ValidationError) as raised:
        algorithm(kind="grpo", **more)
    assert said in str(raised.value)


def test_defaults_add_nothing_to_a_spec():
    assert algorithm(kind="grpo").model_dump(exclude_defaults=True) == {"kind": "grpo"}


def test_a_completion_without_tokens_to_learn_from_gives_no_number_that_is_none():
    lengths = torch.tensor([0, 3, 0, 1])
    for reduction in ("token", "micro_batch_mean", "sequence", "constant"):
        weights = losses.sequence_weights(lengths, reduction, max_tokens=4, mean_of=1)
        assert weights.isfinite().all()
    assert losses.sequence_weights(lengths, "token", max_tokens=4).tolist() == [0.25] * 4


@pytest.fixture
def drawn_by(monkeypatch):
    """A rollout of a trainer with these settings, some of whose completions are truncated; and the trainer."""
    monkeypatch.setattr(rollout, "verify_batch", verify_letters)

    def of(**more):
        trainer = Trainer(settings(**more), toy_model(), letters(), len(QUESTIONS), 0, CPU)
        prompts = encode_questions(letters(), QUESTIONS[:6])
        drawn, _sampled = trainer._roll_out(1, prompts, QUESTIONS[:6], None, None)
        assert 0 < sum(drawn.finished) < len(drawn.finished)
        return trainer, drawn

    return of


def test_masked_completions_are_in_the_batch_and_out_of_the_loss(drawn_by):
    _, drawn = drawn_by()
    batch = Batch.empty(drawn, CPU, finished_only=True)
    lengths = [len(ids) if done else 0 for ids, done in zip(drawn.completions, drawn.finished, strict=True)]
    assert batch.lengths.tolist() == batch.mask.sum(1).tolist() == lengths
    assert batch.tokens.sum(1).tolist() == [len(ids) for ids in drawn.completions]
    plain = Batch.empty(drawn, CPU)
    assert torch.equal(plain.mask, plain.tokens)


def _gradient(trainer, drawn):
    """Of the first update of a rollout batch: what AdamW would see."""
    seen = []
    trainer._step = lambda optimizer: (
        seen.append(torch.cat([p.grad.flatten() for p in trainer.policy.model.parameters() if p.grad is not None]))
        or optimizer.zero_grad()
        or 1.0
    )
    trainer.learn(1, drawn)
    return seen[0]


@pytest.mark.parametrize("kl", [{}, {"kl": {"place": "loss", "estimator": "k3", "coefficient": 0.1}}])
def test_what_a_masked_completion_says_moves_nothing(drawn_by, kl):
    """With the same rewards but other tokens in the truncated completions, the policy moves the same way."""
    common = {"update_batch": 24, "reduction": "token"} | kl
    trainer, drawn = drawn_by(truncated="mask", **common)
    first = _gradient(trainer, drawn)
    for row, done in enumerate(drawn.finished):
        if not done:
            drawn.completions[row] = [3 + (token + 1) % 20 for token in drawn.completions[row]]
    again = _gradient(drawn_by(truncated="mask", **common)[0], drawn)
    assert torch.allclose(first, again, atol=1e-7)
    other = _gradient(drawn_by(**common)[0], drawn)
    assert not torch.allclose(first, other, atol=1e-4)


def test_groups_that_differ_in_the_penalty_alone_are_no_informative_ones(drawn_by, monkeypatch):
    asked = []
    monkeypatch.setattr(Dapo, "groups", lambda self, scores, batches: asked.append(scores) or list(range(6)))
    _, drawn = drawn_by(kind="dapo", truncated="penalise")
    _, plain = drawn_by(kind="dapo")
    assert not torch.equal(drawn.scores, plain.scores)
    assert torch.equal(asked[0], asked[1])


def test_penalised_completions_earn_less_and_the_penalty_is_a_column(drawn_by):
    _, plain = drawn_by()
    trainer, drawn = drawn_by(truncated="penalise")
    most = trainer.settings.sampling.max_new_tokens
    expected = overlong_penalty([len(ids) for ids in drawn.completions], most, trainer.settings.overlong)
    assert torch.allclose(drawn.scores.flatten(), plain.scores.flatten() + expected)
    row = trainer.learn(1, drawn)
    assert row["part_overlong"] == pytest.approx(float(expected.mean()))
