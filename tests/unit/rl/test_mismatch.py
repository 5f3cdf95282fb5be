"""The sampler's log-probabilities against the trainer's: sums by hand, real runs, and samplers that are wrong."""

from __future__ import annotations

import logging
import math

import numpy as np
import pytest
import torch
from rl_toys import QUESTIONS as ALL_QUESTIONS
from rl_toys import MemoryState, letters, tiny_model
from rl_trainers import CPU, KL_IN_LOSS, KL_IN_REWARD, NO_KL, judge, run  # noqa: F401

from echochamber.rl import expert_iteration, rollout
from echochamber.rl.mismatch import COLUMNS, LIMITS, Mismatch, exceeds
from echochamber.settings import ExpertIteration


def test_columns_by_hand():
    """Two completions: differences .1, -.3 and 0.2; sums -.2 and .2."""
    found = Mismatch()
    found.add([np.array([-1.0, -2.0]), np.array([-0.5])], torch.tensor([[-0.9, -2.3], [-0.3, 9.0]]))
    mean, largest, ratio, smallest_ratio, largest_ratio = found.columns().values()
    assert (mean, largest) == (pytest.approx(0.2), pytest.approx(0.3))
    assert (smallest_ratio, largest_ratio) == (pytest.approx(math.exp(-0.2)), pytest.approx(math.exp(0.2)))
    assert ratio == pytest.approx(math.cosh(0.2))


def test_inserted_tokens_are_none_of_them():
    found = Mismatch()
    found.add([np.array([-1.0, 0.0])], torch.tensor([[-0.9, -7.0]]), torch.tensor([[True, False]]))
    assert found.columns()[COLUMNS[0]] == pytest.approx(0.1)


def test_ratios_stay_numbers_and_nan_stays_nan():
    found = Mismatch()
    found.add([np.array([-9000.0]), np.array([-1.0])], torch.tensor([[-1.0], [-9000.0]]))
    assert found.columns()[COLUMNS[4]] == pytest.approx(math.exp(20))
    assert found.columns()[COLUMNS[3]] == pytest.approx(math.exp(-20))
    found.add([np.array([np.nan])], torch.tensor([[-1.0]]))
    found.add([np.array([-1.0])], torch.tensor([[-1.0]]))
    assert all(math.isnan(value) for value in found.columns().values())
    assert exceeds(found.columns(), "bf16")
    assert set(Mismatch().columns().values()) == {None}
    assert not exceeds(Mismatch().columns(), "fp32")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("kl", [NO_KL, KL_IN_REWARD, KL_IN_LOSS])
def test_a_sound_sampler_is_within_the_limits(precision, kl, caplog):
    rows, _ = run(kind="grpo", kl=kl, passes=4, precision=precision)
    seen = [row for row in rows if row[COLUMNS[0]] is not None]
    assert len(seen) >= 4
    for row in seen:
        assert not exceeds(row, precision)
        assert 0 <= row[COLUMNS[0]] <= row[COLUMNS[1]] < LIMITS[precision][1]
        assert row[COLUMNS[3]] <= row[COLUMNS[2]] <= row[COLUMNS[4]]
    if precision == "fp32":  # in bf16 processors differ: some agree to the last bit, others by more than 1e-4
        assert max(row[COLUMNS[1]] for row in seen) < 1e-4
    assert "sampler and trainer differ" not in caplog.text


def other_temperature(drawn):
    return [values * 1.1 for values in drawn]


def one_wrong_token(drawn):
    changed = [values.copy() for values in drawn]
    for values in changed:
        values[0] -= 3.0
    return changed


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("fault", [other_temperature, one_wrong_token])
def test_a_perturbed_sampler_is_warned_of_once(precision, fault, monkeypatch, caplog):
    sound = rollout.generate

    def faulty(*args, **kwargs):
        drawn = sound(*args, **kwargs)
        drawn.logprobs = fault(drawn.logprobs)
        return drawn

    _, weights = run(kind="grpo", kl=KL_IN_LOSS, passes=2, precision=precision)
    monkeypatch.setattr(rollout, "generate", faulty)
    with caplog.at_level(logging.WARNING):
        rows, same_weights = run(kind="grpo", kl=KL_IN_LOSS, passes=2, precision=precision)
    assert all(exceeds(row, precision) for row in rows)
    warnings = [record.getMessage() for record in caplog.records if "sampler and trainer differ" in record.getMessage()]
    assert len(warnings) == 1
    assert warnings[0].startswith("step 1: ")
    assert all(torch.equal(weights[name], same_weights[name]) for name in weights)  # nothing that learns uses them
    if fault is one_wrong_token:
        assert rows[0][COLUMNS[1]] == pytest.approx(3.0, abs=0.1)
        assert rows[0][COLUMNS[2]] == pytest.approx(math.exp(3), rel=0.1)


def iterate(**changes):
    settings = ExpertIteration(
        kind="expert_iteration",
        iterations=2,
        samples_per_prompt=4,
        sampling={"temperature": 0.7, "top_p": 0.95, "max_new_tokens": 8},
        precision="fp32",
        micro_batch=8,
        batch=8,
        **changes,
    )
    model = tiny_model(vocabulary=24, sharpness=6.0)
    frame = {"seed": 0, "state": MemoryState(), "stop": lambda: False, "device": CPU}
    return expert_iteration.train(settings, model, letters(), ALL_QUESTIONS, **frame)[0]


def test_expert_iteration_looks_at_a_few_completions():
    for row in iterate():
        assert 0 < row[COLUMNS[0]] <= row[COLUMNS[1]] < 1e-4
        assert row[COLUMNS[2]] == pytest.approx(1, abs=1e-4)
