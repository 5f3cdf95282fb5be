"""The loss against plain cross-entropy and against sums written out; how much of the logits exists at a time."""

import functools
import math

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from echochamber.data.mixture import IGNORED
from echochamber.models import architecture as models
from echochamber.models.parallel import Processes, Shared
from echochamber.pretraining import trainer
from echochamber.pretraining.loader import Rows
from echochamber.pretraining.loss import NextTokenLoss, chunked_cross_entropy, document_mask
from echochamber.settings import Pretraining, Scale

SCALE = Scale(width=16, layers=1, heads=2, intermediate=32)


def problem(vocabulary=50, positions=37, width=8):
    draw = torch.Generator().manual_seed(0)
    states = torch.randn(positions, width, generator=draw, requires_grad=True)
    weight = torch.randn(vocabulary, width, generator=draw, requires_grad=True)
    labels = torch.randint(0, vocabulary, (positions,), generator=draw)
    labels[::5] = IGNORED
    return states, weight, labels


@pytest.mark.parametrize("rows", [1, 7, 37, 1000])
@pytest.mark.parametrize("bf16", [False, True])
def test_chunks_equal_plain_cross_entropy(rows, bf16):
    states, weight, labels = problem()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        found = chunked_cross_entropy(states, weight, labels, logits_at_once=50 * rows) / 29
        plain = F.cross_entropy(F.linear(states, weight).float(), labels, reduction="sum") / 29
    gradients = torch.autograd.grad(3 * found, [states, weight])
    expected = torch.autograd.grad(3 * plain, [states, weight])
    assert (labels != IGNORED).sum() == 29
    assert found.item() == pytest.approx(plain.item(), rel=1e-6)
    # The plain gradient of bf16 logits is rounded to 8 bits at another place.
    tolerance = {"rtol": 1e-5, "atol": 1e-6} if not bf16 else {"rtol": 0.02, "atol": 0.02}
    for one, other in zip(gradients, expected, strict=True):
        assert torch.allclose(one, other, **tolerance)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        alone = chunked_cross_entropy(states, weight, labels, logits_at_once=50 * rows)
    assert alone.item() == pytest.approx(29 * found.item(), rel=1e-6)


class Largest(TorchDispatchMode):
    """The most elements of any tensor that an operation gives."""

    elements = 0

    def __torch_dispatch__(self, function, types, arguments=(), more=None):
        result = function(*arguments, **(more or {}))
        for tensor in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(tensor, torch.Tensor):
                self.elements = max(self.elements, tensor.numel())
        return result


def test_no_more_logits_exist_than_asked_for():
    states, weight, labels = problem(vocabulary=500, positions=200)
    with Largest() as chunked:
        chunked_cross_entropy(states, weight, labels, logits_at_once=20_000).backward()
    with Largest() as plain:
        F.cross_entropy(F.linear(states, weight), labels, reduction="sum").backward()
    assert (chunked.elements, plain.elements) == (20_000, 100_000)


def test_compiled_layers_and_loss_give_the_same(monkeypatch):
    """Traced whole, without a break; the compiler behind it is torch's own concern."""
    compiled = functools.partial(torch.compile, backend="aot_eager", fullgraph=True)
    model = models.build(SCALE, vocabulary=50, context=16, eos=2, pad=1, seed=0)
    rows = packed(DOCUMENTS, 9)
    plain = NextTokenLoss(model)(*rows, torch.tensor(6))
    expected = torch.autograd.grad(plain, list(model.parameters()))
    monkeypatch.setattr(torch, "compile", compiled)
    found = NextTokenLoss(model, compile=True)(*rows, torch.tensor(6))
    assert found.item() == pytest.approx(plain.item(), rel=1e-6)
    for one, other in zip(torch.autograd.grad(found, list(model.parameters())), expected, strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def packed(rows: list[list[list[int]]], length: int) -> Rows:
    """Documents in rows, padded to `length`, without the last column of inputs and the first of labels."""
    ids, labels = torch.ones(len(rows), length, dtype=torch.long), torch.full((len(rows), length), IGNORED)
    positions = torch.zeros(len(rows), length, dtype=torch.long)
    for number, documents in enumerate(rows):
        column = 0
        for document in documents:
            places = slice(column, column + len(document))
            ids[number, places] = labels[number, places] = torch.tensor(document)
            labels[number, column] = IGNORED
            positions[number, places] = torch.arange(len(document))
            column += len(document)
    return Rows(ids[:, :-1], labels[:, 1:], positions[:, :-1])


DOCUMENTS = [[[5, 6, 7, 2], [8, 9, 2]], [[10, 2]]]
"""Two rows with 5 and with 1 token that gives a loss."""


def summed_loss(model, documents):
    """Of unpadded, unpacked documents, in a plain loop."""
    total = 0
    for document in documents:
        logprobs = model(input_ids=torch.tensor([document])).logits[0].log_softmax(-1)
        total = total - sum(logprobs[place - 1, document[place]] for place in range(1, len(document)))
    return total


def test_next_token_loss_by_hand():
    model = models.build(SCALE, vocabulary=50, context=16, eos=2, pad=1, seed=0)
    found = NextTokenLoss(model)(*packed(DOCUMENTS, 9), torch.tensor(6))
    assert found.item() == pytest.approx(summed_loss(model, [*DOCUMENTS[0], *DOCUMENTS[1]]).item() / 6, rel=1e-5)


@pytest.mark.parametrize("micro_rows", [1, 2])
def test_every_token_of_a_batch_weighs_the_same(micro_rows):
    """Micro-batches of 5 and 1 tokens: (the sum of 5 + the sum of 1) / 6, not the mean of the two means."""
    model = models.build(SCALE, vocabulary=50, context=16, eos=2, pad=1, seed=0)
    first, second = (summed_loss(model, row) for row in DOCUMENTS)
    expected = (first + second) / 6
    assert abs(expected - (first / 5 + second) / 2) > 1e-3 * expected
    gradients = torch.autograd.grad(expected, list(model.parameters()))
    norm = math.sqrt(sum(float((gradient**2).sum()) for gradient in gradients))

    alone = Processes(torch.device("cpu"))
    shared = Shared(NextTokenLoss(model), model.model.layers, alone, "none")
    nothing = torch.optim.SGD(model.parameters(), lr=0.0)
    settings = Pretraining(precision="fp32", gradient_clip=1e9)
    loss, tokens, found = trainer.update(shared, nothing, packed(DOCUMENTS, 9), settings, micro_rows, alone)
    assert tokens == 6
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert found.item() == pytest.approx(norm, rel=1e-5)


def test_document_mask_by_hand():
    mask = document_mask(torch.tensor([[0, 1, 0, 1, 2, 0]]))[0, 0]
    assert set(mask.unique().tolist()) == {0.0, -math.inf}
    assert (mask == 0).int().tolist() == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [0, 0, 1, 0, 0, 0],
        [0, 0, 1, 1, 0, 0],
        [0, 0, 1, 1, 1, 0],
        [0, 0, 0, 0, 0, 1],
    ]
