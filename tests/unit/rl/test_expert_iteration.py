"""Expert Iteration on a tiny model: what is kept, what is fitted, and that it goes on after an interruption."""

import math

import pytest
import torch
from rl_toys import QUESTIONS, MemoryState, letters, plain_logprobs, tiny_model, verify_letters
from rl_trainers import judge  # noqa: F401

from echochamber.errors import Interrupted, UserError
from echochamber.formats import FORMATS
from echochamber.rl import expert_iteration, rollout
from echochamber.rl import run as frame
from echochamber.rl.expert_iteration import Trainer, keep, train
from echochamber.rl.optimizer import adamw
from echochamber.settings import ExpertIteration

CPU = torch.device("cpu")


def settings(**changes):
    toy = {
        "kind": "expert_iteration",
        "iterations": 2,
        "prompts_per_iteration": 6,
        "samples_per_prompt": 4,
        "sampling": {"temperature": 1.0, "max_new_tokens": 8},
        "batch": 8,
        "micro_batch": 3,
        "epochs": 2,
        "learning_rate": 1e-2,
        "precision": "fp32",
    }
    return ExpertIteration(**(toy | changes))


def toy_model():
    return tiny_model(vocabulary=24, sharpness=6.0)


def run(seed=0, state=None, stop=lambda: False, **changes):
    model = toy_model()
    metrics, _ = train(
        settings(**changes), model, letters(), QUESTIONS, seed=seed, state=state or MemoryState(), stop=stop, device=CPU
    )
    return metrics, model.state_dict()


def test_what_is_kept_by_hand():
    completions, scores = [[5, 2], [6, 2], [5, 2], [7, 2], [6, 2]], [1.0, 0.0, 1.0, 1.0, 0.0]
    assert keep(completions, scores, drop_duplicates=True) == [[5, 2], [7, 2]]
    assert keep(completions, scores, drop_duplicates=False) == [[5, 2], [5, 2], [7, 2]]


@pytest.mark.parametrize("drop_duplicates", [True, False])
def test_right_completions_are_kept_with_their_question(drop_duplicates, monkeypatch):
    chosen = settings(
        drop_duplicates=drop_duplicates, samples_per_prompt=16, sampling={"temperature": 0.7, "max_new_tokens": 2}
    )
    trainer = Trainer(chosen, toy_model(), letters(), QUESTIONS, 0, CPU)
    drawn, original = [], rollout.collect
    monkeypatch.setattr(
        rollout, "collect", lambda *args, **kwargs: drawn.append(original(*args, **kwargs)) or drawn[-1]
    )
    assert list(trainer.sample()) == [1.0]
    (batch,) = drawn
    right = [
        (tuple(prompt), tuple(ids))
        for prompt, ids, text in zip(batch.prompts, batch.completions, batch.texts, strict=True)
        if "a" in text
    ]
    found = [(tuple(trainer.prompts[number]), tuple(ids)) for number, ids in trainer.at.kept]
    assert len(set(right)) < len(right)
    assert found == (list(dict.fromkeys(right)) if drop_duplicates else right)


@pytest.mark.parametrize(("reduction", "mean_of"), [("token", 4), ("micro_batch_mean", 3)])
def test_an_update_is_adam_on_the_mean_negative_log_likelihood_of_the_completion_tokens(reduction, mean_of):
    """Over all of them, or the mean of the means of the first three completions and of the fourth."""
    chosen = settings(epochs=1, batch=8, warmup=0, micro_batch=3, reduction=reduction, mean_of=mean_of)
    trainer = Trainer(chosen, toy_model(), letters(), QUESTIONS, 0, CPU)
    rows = [(0, [5, 9, 2]), (3, [7, 2]), (0, [11]), (5, [4, 4, 4, 4, 4, 4, 4, 4])]
    trainer.optimizer = adamw(trainer.policy.model.parameters(), trainer.settings, 1e-2)
    trainer._update(rows, 1e-2)

    plain = toy_model()
    optimizer = torch.optim.AdamW(plain.parameters(), lr=1e-2, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0)
    with torch.enable_grad():
        nll = [-plain_logprobs.__wrapped__(plain, trainer.prompts[number], ids, 1.0) for number, ids in rows]
        loss = torch.stack([torch.cat(nll[i : i + mean_of]).mean() for i in range(0, len(nll), mean_of)]).mean()
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
    assert trainer.gradient_norm == pytest.approx(float(norm), rel=1e-3)
    optimizer.step()
    for ours, theirs in zip(trainer.policy.model.parameters(), plain.parameters(), strict=True):
        # Adam's first step is the sign of the gradient: leave out entries whose gradient is rounding
        clear = theirs.grad.abs() > 1e-5
        assert torch.allclose(ours[clear], theirs[clear], atol=2e-5)


def test_it_learns_and_each_iteration_starts_from_the_base():
    state = MemoryState()
    more = {"prompts_per_iteration": 12, "samples_per_prompt": 12, "batch": 24, "epochs": 4}
    metrics, _ = run(iterations=3, state=state, **more)
    assert metrics[-1]["reward_mean"] > metrics[0]["reward_mean"] + 0.15
    assert sorted(state.kept) == [1, 2, 3]
    base = toy_model().state_dict()["lm_head.weight"]
    moved = [float((state.kept[i]["lm_head.weight"] - base).norm()) for i in (1, 2, 3)]
    online = MemoryState()
    run(iterations=3, state=online, start="online", **more)
    drifted = [float((online.kept[i]["lm_head.weight"] - base).norm()) for i in (1, 2, 3)]
    assert drifted[0] == moved[0]
    assert drifted[2] > 1.2 * drifted[0]
    assert moved[2] < drifted[2]


def test_nothing_kept_means_nothing_learned(monkeypatch):
    monkeypatch.setattr(rollout, "verify_batch", lambda texts, golds, **_: verify_letters([""] * len(texts), golds))
    metrics, weights = run(iterations=1)
    base = toy_model().state_dict()
    assert metrics[0]["reward_mean"] == 0
    assert metrics[0]["gradient_norm"] is None
    assert all(torch.equal(base[name], weights[name]) for name in weights)


def test_rows_of_metrics():
    metrics, _ = run()
    assert [row["step"] for row in metrics] == [1, 2]
    assert [row["completions_sampled"] for row in metrics] == [24, 48]
    for row in metrics:
        assert sum(row[f"share_{name}"] for name in FORMATS) == pytest.approx(1)
        assert row["approx_kl"] is row["clip_fraction"] is row["explained_variance"] is None
        assert row["learning_rate"] == 1e-2
        assert math.isfinite(row["gradient_norm"])
    assert metrics[0]["kl"] == pytest.approx(0, abs=1e-4)
    assert metrics[1]["kl"] > 0.05


def test_the_counts_of_several_chunks_are_those_of_one(monkeypatch):
    monkeypatch.setattr(expert_iteration, "COMPLETIONS_AT_ONCE", 8)
    tallies, original = [], rollout.tally

    def spy(drawn):
        tallies.append(original(drawn))
        return tallies[-1]

    monkeypatch.setattr(rollout, "tally", spy)
    metrics, _ = run(iterations=1)
    assert [tally["completions"] for tally in tallies] == [8, 8, 8]
    assert metrics[0]["reward_mean"] == sum(tally["reward"] for tally in tallies) / 24
    assert metrics[0]["entropy"] == sum(t["entropy"] for t in tallies) / sum(t["tokens"] for t in tallies)


def test_same_seed_same_run_other_seed_another():
    (first, weights), (again, weights_again), (other, _) = (run(seed) for seed in (1, 1, 2))
    assert first == again
    assert all(torch.equal(weights[name], weights_again[name]) for name in weights)
    assert first != other


@pytest.mark.parametrize("start", ["base", "online"])
def test_stopped_anywhere_it_goes_on_with_the_same_numbers(start, monkeypatch):
    monkeypatch.setattr(expert_iteration, "COMPLETIONS_AT_ONCE", 8)
    whole, weights = run(start=start, iterations=3)
    state, metrics, stops = MemoryState(), None, 0
    calls = 0

    def stop():
        nonlocal calls
        calls += 1
        return calls % 2 == 0

    while metrics is None:
        try:
            metrics, resumed = run(start=start, iterations=3, state=state, stop=stop)
        except Interrupted:
            stops += 1
    assert stops > 8
    assert metrics == whole
    assert all(torch.equal(weights[name], resumed[name]) for name in weights)


@pytest.mark.parametrize("reward", ["random", "format:tinygsm", "executed"])
def test_rewards(reward):
    metrics, weights = run(iterations=1, reward=reward)
    assert 0 <= metrics[0]["reward_mean"] <= 1
    assert all(torch.isfinite(weight).all() for weight in weights.values())


def test_a_gradient_that_is_not_finite_stops_the_run():
    with pytest.raises(
        UserError, match=r"iteration \d of 3: found gradient norm (nan|inf) .* checkpoint is that of step"
    ):
        run(iterations=3, learning_rate=1e20, gradient_clip=1e30, epochs=8)


def test_a_diverged_kl_stops_the_run_and_its_policy_is_not_called_good(monkeypatch):
    monkeypatch.setattr(frame, "DIVERGED_KL", 0.05)
    with pytest.raises(
        UserError, match=r"iteration 2 of 3: .* up to 0.05; the last good checkpoint is that of step 0 "
    ):
        run(iterations=3)
