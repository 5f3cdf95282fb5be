"""Whole runs of the policy-gradient trainer: they learn, repeat, go on after a stop, and end before they do harm."""

import itertools
import math
import re
from dataclasses import replace

import pandas as pd
import pytest
import torch
from rl_toys import MemoryState, letters, tiny_model, verify_letters
from rl_trainers import (
    CPU,
    KINDS,
    KL_IN_LOSS,
    KL_IN_REWARD,
    NO_KL,
    judge,  # noqa: F401
    run,
    settings,
    train,
    trainer_and_batch,
)

from echochamber.algorithms import losses
from echochamber.errors import Interrupted, UserError
from echochamber.formats import FORMATS
from echochamber.jobs import files
from echochamber.models import saving
from echochamber.rl import rollout
from echochamber.rl import run as frame


def test_columns_are_those_of_the_design():
    metrics, _ = run(kind="ppo")
    assert list(metrics[0]) == [
        "step",
        "completions_sampled",
        "learning_rate",
        "reward_mean",
        *(f"{what}_{name}" for name in FORMATS for what in ("share", "accuracy")),
        "share_truncated",
        "share_informative_groups",
        "kl",
        "entropy",
        "approx_kl",
        "clip_fraction",
        "explained_variance",
        "completion_tokens_mean",
        "gradient_norm",
        "sampling_logp_difference_mean",
        "sampling_logp_difference_max",
        "importance_sampling_ratio_mean",
        "importance_sampling_ratio_min",
        "importance_sampling_ratio_max",
        "verifier_errors",
        "verifier_timeouts",
        "right_steps_mean",
        "reward_minus_right_steps",
        "share_box_disagrees",
        "audit_warning",
    ]
    assert [row["step"] for row in metrics] == [1, 2]
    assert [row["completions_sampled"] for row in metrics] == [24, 48]
    for row in metrics:
        assert sum(row[f"share_{name}"] for name in FORMATS) == pytest.approx(1)
        for name in FORMATS:
            assert (row[f"accuracy_{name}"] is None) == (row[f"share_{name}"] == 0)


def test_the_first_row_tells_of_the_base_model():
    """Reward, shares and KL of step 1 are of the policy before any update."""
    metrics, _ = run(kind="grpo", learning_rate=1.0)
    gentle, _ = run(kind="grpo", learning_rate=1e-9)
    for name in ("reward_mean", "entropy", "kl", "completion_tokens_mean", "share_tinygsm"):
        assert metrics[0][name] == gentle[0][name]
    assert metrics[0]["kl"] == pytest.approx(0, abs=1e-4)


def test_a_kl_that_is_logged_alone_may_be_of_some_completions_and_changes_nothing_else():
    """The reference reads those alone, others in each batch, and the KL is their mean."""
    every, weights = run(passes=4, kl=NO_KL)
    some, same_weights = run(passes=4, kl=NO_KL | {"logged_on": 0.25})
    assert all(torch.equal(weights[name], same_weights[name]) for name in weights)
    assert [row | {"kl": 0} for row in some] == [row | {"kl": 0} for row in every]
    assert some[-1]["kl"] != every[-1]["kl"]

    read = []
    for step in (1, 2):
        trainer, drawn = trainer_and_batch(kl=NO_KL | {"logged_on": 0.25})
        with torch.no_grad():
            for weight in trainer.policy.model.parameters():
                weight += 0.01 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(step))
        by_hand = [log_ratio(trainer, drawn, row) for row in range(24)]
        seen, logprobs_of = [], trainer._logprobs

        def spy(model, drawn, rows, trainer=trainer, seen=seen, logprobs_of=logprobs_of):
            seen += rows if model is trainer.reference else []
            return logprobs_of(model, drawn, rows)

        trainer._logprobs = spy
        assert trainer.learn(step, drawn)["kl"] == pytest.approx(sum(by_hand[row] for row in seen) / 6, abs=1e-5)
        assert len(set(seen)) == len(seen) == 6
        read.append(sorted(seen))
    assert read[0] != read[1]


def log_ratio(trainer, drawn, row: int) -> float:
    """Of one completion: its log-probability when sampled less that of the reference, by its own forward pass."""
    prompt, completion = drawn.prompts[row], drawn.completions[row]
    with torch.no_grad():
        logits = trainer.reference.model(torch.tensor([prompt + completion])).logits[0, len(prompt) - 1 : -1]
    logprobs = logits.log_softmax(-1)[range(len(completion)), completion]
    return float(drawn.logprobs[row].sum() - logprobs.sum())


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_metrics_csv_other_seed_another(kind, tmp_path):
    kl = KL_IN_LOSS if kind == "grpo" else KL_IN_REWARD
    (first, weights), (again, weights_again), (other, _) = (run(seed, kind=kind, kl=kl) for seed in (1, 1, 2))
    written = []
    for number, rows in enumerate((first, again, other)):
        files.write_csv(tmp_path / f"{number}.csv", pd.DataFrame(rows))
        written.append((tmp_path / f"{number}.csv").read_bytes())
    assert written[0] == written[1] != written[2]
    assert all(torch.equal(weights[name], weights_again[name]) for name in weights)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_learns(kind):
    metrics, _ = run(kind=kind, passes=6, learning_rate=1e-2)
    rewards = [row["reward_mean"] for row in metrics]
    assert sum(rewards[-3:]) / 3 > rewards[0] + 0.25


PLACES = [NO_KL, KL_IN_REWARD, KL_IN_LOSS]
OTHER_KL = [KL_IN_REWARD | {"level": "sequence"}, KL_IN_LOSS | {"level": "sequence"}] + [
    KL_IN_LOSS | {"estimator": "k2", "level": level} for level in ("token", "sequence")
]
REWARDS = ["executed", "random", "format:tinygsm"]
REDUCTIONS = ["token", "sequence", "constant"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_combination_runs(kind):
    combinations = [*itertools.product(PLACES, REDUCTIONS, REWARDS), *((kl, "token", "written") for kl in OTHER_KL)]
    for kl, reduction, reward in combinations:
        metrics, weights = run(
            kind=kind,
            kl=kl,
            reduction=reduction,
            reward=reward,
            prompts_per_batch=2,
            samples_per_prompt=3,
            update_batch=3,
            passes=1 / 6,
            sampling={"temperature": 0.8, "max_new_tokens": 3},
        )
        (row,) = metrics
        assert all(math.isfinite(row[name]) for name in ("reward_mean", "kl", "gradient_norm", "approx_kl"))
        assert all(torch.isfinite(weight).all() for weight in weights.values())


@pytest.mark.parametrize("architecture", ["llama", "gpt_neox", "mistral"])
def test_other_architectures_train(architecture):
    model = tiny_model(architecture, vocabulary=24, sharpness=6.0)
    metrics, _ = run(kind="ppo", kl=KL_IN_REWARD, model=model, passes=0.5)
    assert math.isfinite(metrics[0]["gradient_norm"])
    assert metrics[0]["approx_kl"] >= 0


def test_bf16_trains():
    metrics, weights = run(kind="grpo", precision="bf16")
    assert all(math.isfinite(row["gradient_norm"]) for row in metrics)
    assert weights["lm_head.weight"].dtype == torch.float32


# --- interruption and failure ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ppo", "grpo"])
def test_a_stopped_run_goes_on_with_the_same_numbers(kind):
    whole, weights = run(kind=kind, passes=3, kl=KL_IN_REWARD)
    state, calls = MemoryState(), iter([False, False, True, False, True] + [False] * 9)
    for _ in range(2):
        with pytest.raises(Interrupted):
            run(kind=kind, passes=3, kl=KL_IN_REWARD, state=state, stop=lambda: next(calls))
    resumed, resumed_weights = run(kind=kind, passes=3, kl=KL_IN_REWARD, state=state, stop=lambda: next(calls))
    assert resumed == whole
    assert all(torch.equal(weights[name], resumed_weights[name]) for name in weights)


@pytest.mark.parametrize("kind", ["ppo", "grpo"])
def test_a_run_stopped_while_it_verifies_goes_on_with_the_same_numbers(kind, monkeypatch):
    whole, weights = run(kind=kind, passes=3, kl=KL_IN_REWARD)
    state, batches = MemoryState(), []

    def stopped(*arguments, stop, **settings):
        batches.append(stop())
        if len(batches) == 3:
            raise Interrupted("while verifying")
        return verify_letters(*arguments, **settings)

    monkeypatch.setattr(rollout, "verify_batch", stopped)
    with pytest.raises(Interrupted, match="step 2 of 6"):
        run(kind=kind, passes=3, kl=KL_IN_REWARD, state=state, stop=lambda: len(batches) == 3)
    assert len(state.load()["metrics"]) == 2
    resumed, resumed_weights = run(kind=kind, passes=3, kl=KL_IN_REWARD, state=state)
    assert resumed == whole
    assert all(torch.equal(weights[name], resumed_weights[name]) for name in weights)


def test_what_the_verifier_could_not_judge_is_counted(monkeypatch):
    def failing(completions, golds, **settings):
        verdicts = verify_letters(completions, golds, **settings)
        statuses = ["error", "timeout", "timeout"] + ["ok"] * (len(verdicts) - 3)
        return [replace(one, status=status) for one, status in zip(verdicts, statuses, strict=True)]

    monkeypatch.setattr(rollout, "verify_batch", failing)
    metrics, _ = run()
    assert [(row["verifier_errors"], row["verifier_timeouts"]) for row in metrics] == [(1, 2), (1, 2)]


def test_checkpoints_are_kept_at_their_steps():
    state = MemoryState()
    _, weights = run(kind="grpo", passes=3, state=state, log_spaced_checkpoints=3, checkpoint_every_pass=True)
    assert sorted(state.kept) == [1, 2, 4, 6]
    assert all(torch.equal(state.kept[6][name], weights[name]) for name in weights)
    assert not torch.equal(state.kept[4]["lm_head.weight"], weights["lm_head.weight"])


def blow_up(**changes) -> tuple[float, ...]:
    """Step, gradient norm, KL per token and last good checkpoint, as the error names them."""
    with pytest.raises(UserError) as raised:
        run(kind="grpo", passes=10, log_spaced_checkpoints=50, **changes)
    pattern = r"step (\d+): found gradient norm (\S+) and KL (\S+) nats per token, allowed: finite, and up to \S+; "
    pattern += r"the last good checkpoint is that of step (\d+)"
    return tuple(map(float, re.match(pattern, str(raised.value)).groups()))


def test_a_run_that_blows_up_names_step_and_last_good_checkpoint():
    step, norm, kl, good = blow_up(learning_rate=1e20, gradient_clip=1e30)
    assert not math.isfinite(norm)
    assert good == max(0, step - (1 if abs(kl) < 10 else 2))


def test_a_diverged_kl_stops_the_run_and_its_policy_is_not_called_good(monkeypatch):
    """The KL of a step is that of the policy which the step before has kept."""
    monkeypatch.setattr(frame, "DIVERGED_KL", 0.3)
    step, norm, kl, good = blow_up(learning_rate=0.05, warmup=0.5)
    assert math.isfinite(norm)
    assert kl > 0.3
    assert step > 2
    assert good == step - 2


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_reward_that_is_not_finite_ends_in_one_line(wrong, monkeypatch):
    sound, state = rollout.earned, MemoryState()

    def broken(*args):
        scores, parts = sound(*args)
        scores[3] = wrong
        return scores, parts

    monkeypatch.setattr(rollout, "earned", broken)
    with pytest.raises(UserError, match=r"^step 1: found 1 of 24 rewards that are not finite, allowed: numbers$"):
        run(state=state)
    assert state.saved is None


def test_a_critic_that_blows_up_is_stopped_in_the_step_that_does_it(monkeypatch):
    """Before, its values spoiled the policy one step later, with the broken critic saved."""
    sound = losses.value_loss
    calls = itertools.count()

    def broken(*args, **kwargs):
        return sound(*args, **kwargs) * (math.nan if next(calls) == 7 else 1.0)

    monkeypatch.setattr(losses, "value_loss", broken)
    monkeypatch.setattr(saving, "SECONDS_BETWEEN_SAVES", 0)
    state = MemoryState()
    with pytest.raises(UserError, match=r"^step 2: found gradient norm [0-9.]+, nan of the critic and KL ") as raised:
        run(kind="ppo", kl=KL_IN_REWARD, passes=3, state=state)
    assert str(raised.value).endswith("the last saved state that of step 1")
    assert all(torch.isfinite(w).all() for w in state.saved["trainer"]["critic"]["body"].values())


def test_no_questions_is_one_line():
    with pytest.raises(UserError, match="questions: found none, allowed: at least one"):
        train(settings(), tiny_model(vocabulary=24), letters(), [], seed=0, state=None, stop=None, device=CPU)


def test_the_critic_begins_as_a_copy_of_the_policy_that_says_0_and_learns_at_its_own_rate():
    trainer, drawn = trainer_and_batch(kind="ppo", kl=KL_IN_REWARD, critic_learning_rate=7e-3, warmup=0.0)
    policy, body = (model.state_dict() for model in (trainer.policy.model.base_model, trainer.critic.model.base_model))
    assert all(torch.equal(policy[name], body[name]) for name in policy)
    assert all(policy[name].data_ptr() != body[name].data_ptr() for name in policy)
    assert not trainer.critic.values(drawn.prompts[:3], drawn.completions[:3], 1).any()
    trainer._set_learning_rates(1.0)
    assert {group["lr"] for group in trainer.critic_optimizer.param_groups} == {7e-3}
    assert {group["lr"] for group in trainer.optimizer.param_groups} == {3e-3}
    trainer.learn(1, drawn)
    assert any(not torch.equal(policy[name], body[name]) for name in policy)
