"""What a plan takes adapters for."""

from echochamber.algorithms.lora import LoRA
from echochamber.planning import machine
from echochamber.planning.flops import Shape


def test_a_frozen_model_with_adapters_holds_a_quarter():
    """By hand: 4 bytes a weight, and 16 of 2 layers x 7 matrices x rank 4 x (8 in + 8 out), 12 of which are saved."""
    shape = Shape(parameters=1000, looked_up=0, layers=2, width=8, kv_width=8, intermediate=16, vocabulary=10)
    assert machine.trained_bytes(shape, None) == (16_000, 12_000)
    adapters = 2 * 7 * 4 * 16
    assert machine.trained_bytes(shape, LoRA(rank=4)) == (4000 + 16 * adapters, 4000 + 12 * adapters)
    assert machine.trained_bytes(shape, LoRA(rank=4, targets=("q_proj",)))[0] == 4000 + 16 * adapters / 7
