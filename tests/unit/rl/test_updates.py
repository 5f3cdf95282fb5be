"""The updates on a rollout batch: what the losses feed on, what they must not touch, what is never computed."""

import math
import weakref
from functools import partial

import numpy as np
import pytest
import torch
from rl_toys import EOS
from rl_trainers import (
    KINDS,
    KL_IN_LOSS,
    KL_IN_REWARD,
    NO_KL,
    close,
    judge,  # noqa: F401
    run,
    same,
    settings,
    trainer_and_batch,
    weights_of,
)
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from echochamber.models.forward import LanguageModel
from echochamber.rl import rollout
from echochamber.rl.batch import Batch, Update, micro_batches, updates

# --- before the first update -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kl", [KL_IN_REWARD, NO_KL, KL_IN_LOSS])
@pytest.mark.parametrize("kind", ["ppo", "grpo"])
def test_old_and_new_logprobs_are_bitwise_equal_before_the_first_update(kind, kl):
    trainer, drawn = trainer_and_batch(kind=kind, kl=kl)
    batch = Batch.empty(drawn, trainer.device)
    active = torch.ones(len(batch.lengths), dtype=torch.bool)
    plan = trainer._plan(1, 0, active, trainer._split(drawn, batch))
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
@pytest.mark.parametrize("reduction", ["token", "micro_batch_mean", "sequence", "constant"])
def test_micro_batches_bound_memory_and_change_nothing(kind, reduction):
    found = []
    for micro_batch in (24, 7, 1):
        changes = {"kl": KL_IN_REWARD, "reduction": reduction, "mean_of": 3, "micro_batch": micro_batch}
        trainer, drawn = trainer_and_batch(kind=kind, **changes)
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
def test_without_padding_a_step_learns_the_same(monkeypatch, kind):
    """As a GPU computes it, in micro-batches of so many tokens; the ratio before the first update is exactly 1."""
    found = []
    for packs in (False, True):
        monkeypatch.setattr(LanguageModel, "packs", property(lambda model, packs=packs: packs))
        trainer, drawn = trainer_and_batch(kind=kind, kl=KL_IN_REWARD)
        trainer.tokens_at_once = 40
        tokens = [len(p) + len(c) for p, c in zip(drawn.prompts, drawn.completions, strict=True)]
        parts = trainer._split(drawn, Batch.empty(drawn, trainer.device))(list(range(12)))
        assert not packs or all(sum(tokens[row] for row in part) <= 40 + max(tokens) for part in parts)
        row = trainer.learn(1, drawn)
        found.append((row, weights_of(trainer)))
    (one, weights), (other, packed) = found
    assert other["kl"] == pytest.approx(one["kl"], abs=1e-4)
    assert other["gradient_norm"] == pytest.approx(one["gradient_norm"], rel=1e-3)
    different = sum(int(((a - b).abs() > 1e-4).sum()) for a, b in zip(weights, packed, strict=True))
    assert different <= 0.002 * sum(weight.numel() for weight in packed)


def test_which_completions_share_a_mean_is_drawn_from_the_update():
    """Not the samples of one prompt, nor those of like length; an update has the completions of other reductions."""
    plain, mixed = (settings(reduction=reduction, mean_of=4) for reduction in ("token", "micro_batch_mean"))
    split = partial(micro_batches, lengths=[1 + row % 7 for row in range(24)], size=plain.micro_batch)
    one, other, again = (
        updates(s, [True] * 24, torch.Generator().manual_seed(4), split) for s in (plain, mixed, mixed)
    )
    assert set(other[0].rows) == set(one[0].rows)
    assert other[0].rows != one[0].rows
    assert {row // 4 for row in other[0].rows[:4]} != {other[0].rows[0] // 4}
    assert [update.rows for update in again] == [update.rows for update in other]
    with pytest.raises(ValueError, match="mean_of: found 5, allowed: a divisor of update_batch, 12"):
        settings(reduction="micro_batch_mean", mean_of=5)


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
    drawn.logprobs = [np.zeros(len(ids), dtype=np.float32) for ids in drawn.completions]
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
            trainer._plan = lambda step, number, active, split, f=plan: f(step, number, torch.ones_like(active), split)
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


def test_groups_without_information_cost_one_pass_of_the_reference_at_most():
    """No pass of the policy and no backward pass: the reference's, for the column `kl`, keeps no gradient."""
    trainer, drawn = trainer_and_batch(kind="grpo", kl=NO_KL, update_batch=12)
    informative = rollout.informative_groups(drawn.scores).repeat_interleave(4).tolist()
    passes, original = [], trainer._logprobs

    def spy(model, drawn, rows):
        result = original(model, drawn, rows)
        passes.extend((row, model is trainer.policy, result[0].requires_grad) for row in rows)
        return result

    trainer._logprobs = spy
    trainer.learn(1, drawn)
    silent = sorted(row for row, wanted in enumerate(informative) if not wanted)
    assert silent
    assert sorted(seen for seen in passes if not informative[seen[0]]) == [(row, False, False) for row in silent]


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
    trainer._old_logprobs(drawn, batch := Batch.empty(drawn, trainer.device), [Update(rows, [rows])])
    assert torch.equal(batch.old[rows, : mask.shape[1]], logprobs.detach())
    assert math.isfinite(trainer.learn(1, drawn)["gradient_norm"])


def test_dr_grpo_divides_by_a_constant_unless_told_otherwise():
    assert settings(kind="dr_grpo").reduction == "constant"
    assert settings(kind="dr_grpo", reduction="token").reduction == "token"
    assert settings(kind="grpo").reduction == "token"


def test_several_passes_over_a_batch():
    trainer, drawn = trainer_and_batch(kind="grpo", kl=KL_IN_LOSS, update_passes=3)
    assert trainer.updates_per_step == 6
    split = trainer._split(drawn, Batch.empty(drawn, trainer.device))
    plans = [trainer._plan(1, number, torch.ones(24, dtype=bool), split) for number in range(3)]
    assert [sorted(row for update in plan for row in update.rows) for plan in plans] == [list(range(24))] * 3
    assert len({tuple(plan[0].rows) for plan in plans}) == 3
    row = trainer.learn(1, drawn)
    assert row["approx_kl"] > 0


# --- memory ----------------------------------------------------------------------------------------------------------


class Memory(TorchDispatchMode):
    """Bytes of all tensors that were made inside and are alive, and the most there were."""

    def __init__(self):
        super().__init__()
        self.now = self.peak = 0
        self.known = set()
        self.vocabulary_rows = []
        """Rows of every tensor as wide as the vocabulary."""

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        result = function(*arguments, **(keywords or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self.see(tensor)
        return result

    def see(self, tensor):
        if tensor.ndim > 1 and tensor.shape[-1] == 24:
            self.vocabulary_rows.append(tensor.numel() // 24)
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self.known:
            return
        self.known.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self.forget, key, size)

    def forget(self, key, size):
        self.known.discard(key)
        self.now -= size


def measured_update(kind, groups, micro_batch):
    """A rollout batch of `groups` prompts and one update on all of it: the peak, and the rows of logits."""
    trainer, drawn = trainer_and_batch(
        kind=kind, kl=KL_IN_LOSS, prompts_per_batch=groups, update_batch=4 * groups, micro_batch=micro_batch
    )
    trainer.learn(1, drawn)  # the optimiser's state is there from then on
    with Memory() as memory:
        trainer.learn(2, drawn)
    return memory, drawn


@pytest.mark.parametrize("kind", ["ppo", "grpo"])
def test_the_peak_of_an_update_follows_the_micro_batch_and_not_the_rollout_batch(kind):
    small = measured_update(kind, 4, 4)[0].peak
    assert measured_update(kind, 12, 4)[0].peak < 1.3 * small
    assert measured_update(kind, 12, 48)[0].peak > 2.5 * small


def test_logits_are_never_made_for_the_prompt():
    memory, drawn = measured_update("grpo", 6, 24)
    tokens = sum(map(len, drawn.completions))
    assert max(memory.vocabulary_rows) == tokens
