"""DAPO: its clip against the equation in float64, its dynamic sampling against a few lines, and a run that resumes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from rl_toys import QUESTIONS, MemoryState, letters
from rl_trainers import judge, run, settings, toy_model  # noqa: F401 (the fixture)
from surrogates import LENGTHS, MASK, SCORES, differences, logprobs, loss_and_gradient

from echochamber.algorithms import algorithm
from echochamber.errors import Interrupted
from echochamber.rl import rollout
from echochamber.rl.step import Trainer
from echochamber.sampling.prompts import encode_questions

DAPO = algorithm(kind="dapo", samples_per_prompt=4, clip=0.1, clip_high=0.4)


def reference(new, old):
    """Minus the mean over all tokens of min(r A, clip(r, 0.9, 1.4) A)."""
    total = 0.0
    for i, length in enumerate(LENGTHS.tolist()):
        group, own = SCORES[i // 4].numpy(), float(SCORES[i // 4, i % 4])
        value = (own - group.mean()) / (group.std(ddof=1) + 1e-9)
        for ratio in np.exp((new - old)[i, :length].numpy()):
            total += min(ratio * value, float(np.clip(ratio, 0.9, 1.4)) * value)
    return -total / int(LENGTHS.sum())


def test_loss_and_gradient_are_those_of_the_equation():
    new, old = logprobs(0.5)
    loss, gradient = loss_and_gradient(DAPO, new, old)
    assert loss == pytest.approx(reference(new, old), rel=1e-6)
    assert torch.allclose(gradient, differences(lambda x: reference(x, old), new), atol=1e-6)
    ratio = (new - old).exp()
    outside = MASK & ((ratio < 0.9) | (ratio > 1.4))
    assert torch.equal(DAPO.clipped(torch.where(MASK, new - old, 0.0), MASK), outside)


def test_it_samples_until_enough_groups_differ_and_takes_the_first_of_them():
    dapo = algorithm(kind="dapo", prompts_per_batch=2, samples_per_prompt=2, update_batch=4, sampling_batches=3)
    same, differ = [1.0, 1.0], [1.0, 0.0]
    assert dapo.groups(torch.tensor([differ, same]), 1) is None
    assert dapo.groups(torch.tensor([differ, same, same, differ]), 2) == [0, 3]
    assert dapo.groups(torch.tensor([differ, differ, differ, same]), 2) == [0, 1]
    assert dapo.groups(torch.tensor([same, same, same, differ, same, same]), 3) == [0, 3]  # filled up at the end


def test_a_step_learns_from_what_differs_and_tells_of_all_that_was_sampled(monkeypatch):
    """The first batch of 6 groups is made to agree: the step learns from the next ones, and counts them all."""
    chosen = settings(kind="dapo", sampling_batches=4)
    trainer = Trainer(chosen, toy_model(), letters(), len(QUESTIONS), 0, torch.device("cpu"))
    prompts = encode_questions(letters(), QUESTIONS[:6])
    collect, drawn, learned = rollout.collect, [], []

    def spy(*args, **kwargs):
        batch = collect(*args, **kwargs)
        drawn.append(batch if drawn else replace(batch, scores=torch.zeros_like(batch.scores)))
        return drawn[-1]

    monkeypatch.setattr(rollout, "collect", spy)
    learn = trainer.learn
    monkeypatch.setattr(
        trainer, "learn", lambda step, batch, sampled: learned.append(batch) or learn(step, batch, sampled)
    )
    row, _ = trainer.step(1, prompts, QUESTIONS[:6], more=lambda again: (prompts, QUESTIONS[:6]))
    (batch,) = learned
    every = [(b, g) for b in drawn for g in range(6) if len(set(b.scores[g].tolist())) > 1][:6]
    assert len(drawn) > 1
    assert len(every) == 6
    assert batch.texts == [text for b, g in every for text in b.texts[4 * g : 4 * g + 4]]
    assert torch.equal(batch.scores, torch.stack([b.scores[g] for b, g in every]))
    assert row["completions_sampled"] == 24 * len(drawn)
    assert row["reward_mean"] == pytest.approx(float(torch.cat([b.scores for b in drawn]).mean()))


def test_without_its_two_ideas_it_is_grpo():
    plain = {"kind": "dapo", "clip_high": 0.2, "sampling_batches": 1, "passes": 2}
    (rows, weights), (expected, grpo) = run(**plain), run(kind="grpo", passes=2)
    assert rows == expected
    assert all(torch.equal(weights[name], grpo[name]) for name in grpo)


def test_a_run_resumes_with_what_it_had_sampled():
    whole, weights = run(kind="dapo", passes=3)
    state, calls = MemoryState(), iter(range(10**6))
    with pytest.raises(Interrupted):
        run(kind="dapo", passes=3, state=state, stop=lambda: next(calls) == 5)
    again, same = run(kind="dapo", passes=3, state=state)
    assert again == whole
    assert all(torch.equal(weights[name], same[name]) for name in weights)
    assert whole[-1]["completions_sampled"] > 24 * len(whole)
