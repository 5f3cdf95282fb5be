"""The plan against what a GPU did, and what each of its shares moves."""

import pytest

from echochamber.planning import flops as count
from echochamber.planning import machine
from echochamber.settings import Hardware, Scale


def test_measured_on_an_h200():
    """150M in bf16: updates on 512 completions of 508 tokens (64 prompts), sampling and pretraining, within 15 %."""
    shape = count.olmo(Scale(width=768, layers=12, heads=12, intermediate=3072), 32_000)
    h200 = machine.Machine(Hardware(device="H200"))
    forward_pass = (512 * 508 + 64 * 29) * count.forward_per_token(shape, 29 + 508)
    for passes, measured in ((4.875, 1.20), (9, 1.89)):  # of GRPO and of PPO
        seconds = h200.training_seconds(shape, passes * forward_pass, passes, "bf16", "rl_update")
        assert seconds == pytest.approx(measured, rel=0.15)
    work = count.generation(shape, prompts=64, samples=8, prompt=29, completion=512)
    lengths = {"prompt": 29, "completion": 512, "longest": 512}
    seconds = h200.decoding_seconds(shape, work, rows=512, **lengths, precision="bf16", held=36 * shape.parameters)
    assert 512 * 512 / seconds == pytest.approx(201.8e3, rel=0.15)
    speed = h200.flops_per_second("bf16") / count.training_per_token(shape, 2048)
    assert speed == pytest.approx(437e3, rel=0.15)


def test_each_kind_of_work_has_its_own_efficiency():
    """Each setting moves the work of its name, and no other."""
    shape = count.olmo(Scale(width=768, layers=12, heads=12, intermediate=3072), 32_000)

    def seconds(**settings):
        own = machine.Machine(Hardware(device="H200", **settings))
        lengths = {"prompt": 79, "completion": 512, "longest": 512}
        return {
            "mfu": own.training_seconds(shape, 1e16, 1, "bf16"),
            "rl_mfu": own.training_seconds(shape, 1e16, 1, "bf16", "rl_update"),
            "bandwidth_used": own.decoding_seconds(shape, 0.0, rows=512, **lengths, precision="bf16", held=0.0),
        }

    before = seconds()
    measured = {"mfu": 0.46, "rl_mfu": 0.34, "bandwidth_used": 0.46}
    for name, share in measured.items():
        halved = seconds(**{name: share / 2})
        assert halved == {of: pytest.approx(value * (2 if of == name else 1)) for of, value in before.items()}
