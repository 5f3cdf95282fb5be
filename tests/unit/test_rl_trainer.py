"""The policy-gradient trainer on a tiny model: what it feeds on, what it must not touch, and that it learns."""

import itertools
import math

import pytest
import torch
from rl_toys import EOS, QUESTIONS, MemoryState, Question, letters, tiny_model, verify_letters

from echochamber.job import Interrupted, UserError
from echochamber.rl import policy_gradient, rollout
from echochamber.rl.policy_gradient import Trainer, train
from echochamber.settings import FORMATS, PolicyGradient
from echochamber.tokens import encode, train_bpe

KINDS = ["ppo", "grpo", "reinforce_baseline", "rloo", "dr_grpo"]
NO_KL = {"place": "none"}
KL_IN_REWARD = {"place": "reward", "estimator": "k1", "coefficient": 0.1}
KL_IN_LOSS = {"place": "loss", "estimator": "k3", "coefficient": 0.1}
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def judge(monkeypatch):
    monkeypatch.setattr(rollout, "verify_batch", verify_letters)


def settings(**changes):
    toy = {
        "kind": "grpo",
        "passes": 1,
        "prompts_per_batch": 6,
        "samples_per_prompt": 4,
        "sampling": {"temperature": 1.0, "max_new_tokens": 8},
        "update_batch": 12,
        "micro_batch": 5,
        "learning_rate": 3e-3,
        "critic_learning_rate": 3e-3,
        "precision": "fp32",
        "log_spaced_checkpoints": 0,
        "checkpoint_every_pass": False,
    }
    return PolicyGradient(**(toy | changes))


def toy_model(seed=0):
    return tiny_model(vocabulary=24, sharpness=6.0, seed=seed)


def run(seed=0, state=None, stop=lambda: False, model=None, **changes):
    model = model or toy_model()
    metrics, _ = train(
        settings(**changes), model, letters(), QUESTIONS, seed=seed, state=state or MemoryState(), stop=stop, device=CPU
    )
    return metrics, model.state_dict()


def trainer_and_batch(step=1, reward="correct", **changes):
    chosen = settings(reward=reward, **changes)
    trainer = Trainer(chosen, toy_model(), letters(), len(QUESTIONS), 0, CPU)
    prompts = rollout.encode_questions(letters(), QUESTIONS[: chosen.prompts_per_batch])
    drawn = rollout.collect(
        trainer.policy,
        letters(),
        prompts,
        ["1"] * len(prompts),
        samples=chosen.samples_per_prompt,
        sampling=chosen.sampling,
        reward=reward,
        seed=0,
        step=step,
    )
    return trainer, drawn


def weights_of(trainer):
    return [weight.detach().clone() for weight in trainer.policy.model.parameters()]


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def close(one, other, atol):
    return all(torch.allclose(a, b, atol=atol, rtol=0) for a, b in zip(one, other, strict=True))


# --- before the first update -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kl", [KL_IN_REWARD, NO_KL, KL_IN_LOSS])
@pytest.mark.parametrize("kind", ["ppo", "grpo"])
def test_old_and_new_logprobs_are_bitwise_equal_before_the_first_update(kind, kl):
    trainer, drawn = trainer_and_batch(kind=kind, kl=kl)
    batch = trainer._empty_batch(drawn)
    active = torch.ones(len(batch.lengths), dtype=torch.bool)
    plan = trainer._plan(1, 0, batch, active)
    assert [len(update.rows) for update in plan] == [12, 12]
    trainer._old_logprobs(drawn, batch, plan)
    for update in plan:
        for rows in update.micros:
            logprobs, mask = trainer._logprobs(trainer.policy, drawn, rows)
            assert logprobs.requires_grad
            ratio = (logprobs - batch.old[rows, : mask.shape[1]]).exp()
            assert torch.equal(ratio, torch.ones_like(ratio))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kl", [KL_IN_REWARD, NO_KL, KL_IN_LOSS])
def test_one_update_a_batch_reports_no_ratio_but_one(kind, kl):
    metrics, _ = run(kind=kind, kl=kl, update_batch=24)
    assert [row["approx_kl"] for row in metrics] == [0.0, 0.0]
    assert [row["clip_fraction"] for row in metrics] == [0.0, 0.0]
    moved, _ = run(kind=kind, kl=kl, update_batch=12)
    assert moved[0]["approx_kl"] > 0


def test_the_reference_is_the_base_model_bitwise_at_the_first_step():
    """GRPO divides by the std of the group: rounding errors in the KL of equal rewards would become advantages."""
    trainer, drawn = trainer_and_batch(kind="grpo", kl=KL_IN_REWARD)
    drawn.scores = torch.ones_like(drawn.scores)
    before = weights_of(trainer)
    trainer.learn(1, drawn)
    assert same(before, weights_of(trainer))


# --- what the loss is made of ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ppo", "grpo"])
@pytest.mark.parametrize("reduction", ["token", "sequence", "constant"])
def test_micro_batches_bound_memory_and_change_nothing(kind, reduction):
    found = []
    for micro_batch in (24, 7, 1):
        trainer, drawn = trainer_and_batch(kind=kind, kl=KL_IN_REWARD, reduction=reduction, micro_batch=micro_batch)
        sizes = []
        original = trainer._logprobs
        trainer._logprobs = lambda model, drawn, rows, f=original, s=sizes: s.append(len(rows)) or f(model, drawn, rows)
        trainer.learn(1, drawn)
        assert max(sizes) <= micro_batch
        found.append(weights_of(trainer))
    # Adam's first steps are the sign of the gradient times the rate, 3e-3: rounding may turn single near-zero entries
    for other in found[1:]:
        different = sum(int(((a - b).abs() > 1e-4).sum()) for a, b in zip(found[0], other, strict=True))
        assert different <= 0.002 * sum(weight.numel() for weight in other)


@pytest.mark.parametrize("kind", ["ppo", "grpo"])
def test_padding_is_never_in_the_loss(kind):
    found = []
    for pad in (1, 17):
        trainer, drawn = trainer_and_batch(kind=kind, kl=KL_IN_LOSS)
        assert len({len(ids) for ids in drawn.completions}) > 2
        trainer.pad = pad
        row = trainer.learn(1, drawn)
        found.append((weights_of(trainer), row))
    assert same(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]


def test_the_end_token_is_in_the_loss():
    """Completions that consist of the end token alone: rewarding half of them makes it more likely."""
    trainer, drawn = trainer_and_batch(kind="dr_grpo", kl=NO_KL, update_batch=24)
    n = len(drawn.completions)
    drawn.completions = [[EOS] if i % 2 else [EOS - 2, EOS] for i in range(n)]
    drawn.scores = torch.tensor([[0.0, 1.0, 0.0, 1.0]] * 6)
    rows = list(range(1, n, 2))
    before, _ = trainer._logprobs(trainer.policy, drawn, rows)
    trainer.learn(1, drawn)
    after, _ = trainer._logprobs(trainer.policy, drawn, rows)
    assert before.shape == (12, 1)
    assert (after > before).all()


def test_groups_without_information_cost_nothing_and_change_nothing(monkeypatch):
    found, computed = [], []
    for everything in (False, True):
        trainer, drawn = trainer_and_batch(kind="grpo", kl=NO_KL, update_batch=12)
        informative = rollout.informative_groups(drawn.scores)
        assert 0 < informative.sum() < 6
        if everything:
            plan = trainer._plan
            trainer._plan = lambda step, number, batch, active, f=plan: f(step, number, batch, torch.ones_like(active))
        counted = []
        original = trainer._logprobs

        def spy(model, drawn, rows, f=original, trainer=trainer, counted=counted):
            if model is trainer.policy and torch.is_grad_enabled():
                counted.extend(rows)
            return f(model, drawn, rows)

        trainer._logprobs = spy
        row = trainer.learn(1, drawn)
        assert row["share_informative_groups"] == pytest.approx(informative.float().mean().item())
        found.append(weights_of(trainer))
        computed.append(sorted(counted))
    assert computed[0] == [4 * g + s for g in range(6) if informative[g] for s in range(4)]
    assert computed[1] == list(range(24))
    assert close(found[0], found[1], 1e-5)


def test_a_batch_without_any_information_leaves_the_weights():
    trainer, drawn = trainer_and_batch(kind="grpo", kl=NO_KL)
    drawn.scores = torch.ones_like(drawn.scores)
    before = weights_of(trainer)
    row = trainer.learn(1, drawn)
    assert row["gradient_norm"] == 0.0
    assert row["share_informative_groups"] == 0.0
    assert same(before, weights_of(trainer))


@pytest.mark.parametrize("kind", ["ppo", "grpo"])
@pytest.mark.parametrize("kl", [KL_IN_REWARD, KL_IN_LOSS])
def test_the_kl_coefficient_changes_the_run(kind, kl):
    ends = [run(kind=kind, kl=kl | {"coefficient": c})[1]["lm_head.weight"] for c in (1e-3, 1e-2, 1.0)]
    assert not torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[1], ends[2])


@pytest.mark.parametrize(
    ("kind", "kl"), [("ppo", KL_IN_REWARD), ("reinforce_baseline", KL_IN_REWARD), ("grpo", KL_IN_LOSS)]
)
def test_a_large_kl_coefficient_holds_the_policy(kind, kl):
    free = run(kind=kind, passes=5, learning_rate=5e-3)[0]
    held = run(kind=kind, passes=5, learning_rate=5e-3, kl=kl | {"coefficient": 3.0})[0]
    assert free[-1]["kl"] > 0.4
    assert held[-1]["kl"] < 0.6 * free[-1]["kl"]


# --- what the verifier sees ------------------------------------------------------------------------------------------


def test_the_verifier_sees_the_completion_and_nothing_else(monkeypatch):
    calls = []

    def spy(completions, golds, *, scorer="strict", finished=None):
        calls.append((completions, golds, finished))
        return verify_letters(completions, golds)

    monkeypatch.setattr(rollout, "verify_batch", spy)
    tokenizer = letters()
    questions = [Question("gggggggg?" + "12345"[i % 5], f"gold{i}") for i in range(6)]
    prompts = rollout.encode_questions(tokenizer, questions)
    trainer = Trainer(settings(), toy_model(), tokenizer, 6, 0, CPU)
    drawn = rollout.collect(
        trainer.policy,
        tokenizer,
        prompts,
        [question.answer for question in questions],
        samples=4,
        sampling=settings().sampling,
        reward="correct",
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
    prompt, alone = "How many does Tom have?", encode(tokenizer, ["How many does Tom have?\n\n"])[0]
    (found,) = rollout.encode_questions(tokenizer, [Question(prompt, "3")])
    for begin in ("So 3.", "def f():"):
        assert encode(tokenizer, [f"{prompt}\n\n{begin}"])[0][: len(found)] == found
    assert tokenizer.decode(found) == tokenizer.decode(alone) == prompt + "\n\n"


# --- rewards ---------------------------------------------------------------------------------------------------------


def test_controls():
    verdicts = verify_letters(["dxa", "d", "aa", "a", "", "b"] * 500, [""] * 3000)

    def generator():
        return rollout.random_stream(0, "reward", 1)

    correct = rollout.rewards(verdicts, "correct", generator())
    assert correct.tolist() == [float(verdict.correct) for verdict in verdicts]
    for name in FORMATS:
        found = rollout.rewards(verdicts, f"format:{name}", generator())
        assert found.tolist() == [float(verdict.format == name) for verdict in verdicts]
    coin = rollout.rewards(verdicts, "random", generator())
    assert set(coin.tolist()) == {0.0, 1.0}
    assert abs(coin.mean() - 0.5) < 4 * 0.5 / math.sqrt(3000)
    assert torch.equal(coin, rollout.rewards(verdicts, "random", generator()))
    assert not torch.equal(coin, rollout.rewards(verdicts, "random", rollout.random_stream(0, "reward", 2)))


# --- whole runs ------------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_run_other_seed_another(kind):
    kl = KL_IN_LOSS if kind == "grpo" else KL_IN_REWARD
    (first, weights), (again, weights_again), (other, _) = (run(seed, kind=kind, kl=kl) for seed in (1, 1, 2))
    assert first == again
    assert all(torch.equal(weights[name], weights_again[name]) for name in weights)
    assert first != other


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_learns(kind):
    metrics, _ = run(kind=kind, passes=6, learning_rate=1e-2)
    rewards = [row["reward_mean"] for row in metrics]
    assert sum(rewards[-3:]) / 3 > rewards[0] + 0.25


PLACES = [NO_KL, KL_IN_REWARD, KL_IN_LOSS]
OTHER_KL = [KL_IN_REWARD | {"level": "sequence"}, KL_IN_LOSS | {"level": "sequence"}] + [
    KL_IN_LOSS | {"estimator": "k2", "level": level} for level in ("token", "sequence")
]
REWARDS = ["correct", "random", "format:tinygsm"]
REDUCTIONS = ["token", "sequence", "constant"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_combination_runs(kind):
    combinations = [*itertools.product(PLACES, REDUCTIONS, REWARDS), *((kl, "token", "correct") for kl in OTHER_KL)]
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


@pytest.mark.parametrize("kind", ["ppo", "grpo"])
def test_gradient_checkpointing_changes_memory_only(kind):
    found = []
    for checkpointing in (False, True):
        trainer, drawn = trainer_and_batch(kind=kind, kl=KL_IN_LOSS, gradient_checkpointing=checkpointing)
        rows = list(range(6))
        weights = trainer.policy.model.parameters()
        logprobs, mask = trainer._logprobs(trainer.policy, drawn, rows)
        gradient = torch.autograd.grad((logprobs * mask.cumsum(1)).sum(), list(weights))
        found.append([logprobs.detach(), *gradient])
    assert close(*found, 2e-4)
    trainer._old_logprobs(drawn, batch := trainer._empty_batch(drawn), [policy_gradient.Update(rows, [rows])])
    assert torch.equal(batch.old[rows, : mask.shape[1]], logprobs.detach())
    assert math.isfinite(trainer.learn(1, drawn)["gradient_norm"])


def test_dr_grpo_divides_by_a_constant_unless_told_otherwise():
    assert settings(kind="dr_grpo").reduction == "constant"
    assert settings(kind="dr_grpo", reduction="token").reduction == "token"
    assert settings(kind="grpo").reduction == "token"


def test_several_passes_over_a_batch():
    trainer, drawn = trainer_and_batch(kind="grpo", kl=KL_IN_LOSS, update_passes=3)
    assert trainer.updates_per_step == 6
    plans = [trainer._plan(1, number, trainer._empty_batch(drawn), torch.ones(24, dtype=bool)) for number in range(3)]
    assert [sorted(row for update in plan for row in update.rows) for plan in plans] == [list(range(24))] * 3
    assert len({tuple(plan[0].rows) for plan in plans}) == 3
    row = trainer.learn(1, drawn)
    assert row["approx_kl"] > 0


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


def test_checkpoints_are_kept_at_their_steps():
    state = MemoryState()
    _, weights = run(kind="grpo", passes=3, state=state, log_spaced_checkpoints=3, checkpoint_every_pass=True)
    assert sorted(state.kept) == [1, 2, 4, 6]
    assert all(torch.equal(state.kept[6][name], weights[name]) for name in weights)
    assert not torch.equal(state.kept[4]["lm_head.weight"], weights["lm_head.weight"])


def test_a_run_that_blows_up_names_step_and_last_good_checkpoint():
    with pytest.raises(UserError, match=r"step \d+: found gradient norm .* last good checkpoint is that of step \d"):
        run(kind="grpo", passes=10, learning_rate=1e20, gradient_clip=1e30, log_spaced_checkpoints=9)


def test_a_diverged_kl_stops_the_run(monkeypatch):
    monkeypatch.setattr(policy_gradient, "DIVERGED_KL", 0.05)
    with pytest.raises(UserError, match=r"step [2-9]: .*KL .* nats per token, allowed: finite, and up to 0.05"):
        run(kind="grpo", passes=10, learning_rate=0.05)
