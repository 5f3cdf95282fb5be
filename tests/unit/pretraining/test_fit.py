"""What fits a device, by hand: rows of a micro-batch from its memory, and when compiling pays."""

import pytest

from echochamber.hardware import DEVICES
from echochamber.models import forward
from echochamber.pretraining import fit
from echochamber.settings import Pretraining, Scale

M150 = {"width": 768, "layers": 12, "heads": 12, "intermediate": 3072, "tied": True}
PAPER = Pretraining()
GB = 1e9


def rows(memory, *, settings=PAPER, share=512, held=2.4 * GB, **scale):
    return fit.micro_batch_rows(
        Scale(**M150 | scale), settings, vocabulary=32_000, rows=share, held=held, memory_bytes=memory
    )


def test_on_a_cpu_it_is_what_it_was():
    assert rows(None) == 2**14 // 2048
    assert rows(None, settings=Pretraining(sequence_length=20_000)) == 1
    assert rows(None, settings=Pretraining(sequence_length=192), share=8) == 85  # more than there are: one pass


def test_on_a_gpu_it_is_the_largest_power_of_two_that_fits():
    """150M keeps 12 x (24 x 768 + 8 x 3072) bytes a token: 1.06 GB a row of 2048, and .5 GB of logits."""
    row = 12 * (24 * 768 + 8 * 3072) * 2048
    logits = 8 * 2**26
    assert rows(80 * GB) == 32  # 65,536 tokens
    for fits in (1, 2, 8, 16):
        enough = (2.4 * GB + fits * row + logits) / 0.6
        assert rows(1.001 * enough) == fits
        assert rows(0.999 * enough) == max(1, fits // 2)
    assert rows(80 * GB * 0.25) == 8  # a quarter of the card
    assert rows(80 * GB, settings=Pretraining(precision="fp32")) == 16  # twice the bytes
    assert rows(1 * GB) == 1


def test_it_is_no_more_than_there_are_and_what_a_scale_says():
    assert rows(80 * GB, share=4) == 4
    assert rows(80 * GB, share=1) == 1
    assert rows(80 * GB, micro_batch_rows=7) == 7


def test_compiling_pays_where_a_third_of_the_run_is_more_than_it_takes():
    h100 = DEVICES["H100"]
    second = h100.efficiency.pretraining * h100.peak_flops
    short = {"layers": 4, "passes": 10, "precision": "bf16"}
    assert not fit.compiling_pays(h100, flops=29.9 * second, **short)
    assert fit.compiling_pays(h100, flops=30.1 * second, **short)
    assert fit.compiling_pays(None, flops=1.0, **short)  # a card that nobody knows
    start = 3 * (h100.step_seconds + 4 * h100.layer_seconds)  # of a pass that is too small to fill the card
    assert fit.compiling_pays(h100, layers=4, passes=30.1 / start, precision="bf16", flops=1.0)
    assert not fit.compiling_pays(h100, layers=4, passes=29.9 / start, precision="bf16", flops=1.0)


def test_limits_are_those_of_the_forward_pass():
    assert fit.LOGITS_AT_ONCE == forward.LOGITS_AT_ONCE


def test_activations_by_hand():
    shape = {"width": 2, "intermediate": 3, "layers": 5, "vocabulary": 7, "tokens": 11}
    layer = 24 * 2 + 8 * 3
    assert fit.activation_bytes(**shape, precision="bf16") == 11 * 5 * layer + 8 * 77
    assert fit.activation_bytes(**shape, precision="fp32") == 2 * 11 * 5 * layer + 8 * 77
    kept = 4 * 2 * 5 + layer
    assert fit.activation_bytes(**shape, precision="bf16", recompute=True) == pytest.approx(11 * kept + 8 * 77)
