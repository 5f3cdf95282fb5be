"""Decoding in fixed shapes against the other way of decoding, against transformers, and against plain passes."""

import itertools
import logging

import pytest
import rl_toys
import torch
from rl_toys import EOS, PAD, plain_logprobs, ragged_prompts, tiny_model

from echochamber.sampling import fixed_shapes
from echochamber.sampling.draw import uniforms
from echochamber.sampling.fixed_shapes import Graphs

CPU = torch.device("cpu")
ARCHITECTURES = ["olmo", "llama", "gpt_neox"]


def sample(model, prompts, *, fixed=True, **more):
    return rl_toys.sample(model, prompts, fixed=fixed, **more)


def assert_equal(one, other):
    assert one.completions == other.completions
    assert one.finished == other.finished
    for a, b in zip(one.logprobs, other.logprobs, strict=True):
        assert a == pytest.approx(b, abs=1e-5)
    assert one.entropy == pytest.approx(other.entropy, abs=1e-4)


@pytest.fixture
def narrow(monkeypatch):
    """Attention widens every 8 tokens, so that toys pass several widths."""
    monkeypatch.setattr(fixed_shapes, "COLUMNS", 8)


@pytest.mark.parametrize("max_rows", [None, 5])
@pytest.mark.parametrize(("architecture", "end"), [("olmo", 28), ("llama", 3), ("gpt_neox", 37)])
def test_greedy_equals_the_other_way_and_transformers(narrow, architecture, end, max_rows):
    """`end`: a token that greedy completions of these toys come to at many different lengths."""
    model, prompts = tiny_model(architecture, seed=3), ragged_prompts(12, seed=1)
    drawn = sample(model, prompts, samples=1, greedy=True, max_rows=max_rows, eos=end)
    assert_equal(drawn, sample(model, prompts, samples=1, greedy=True, fixed=False, eos=end))
    assert len({len(ids) for ids in drawn.completions}) > 6
    assert 0 < sum(drawn.finished) < 12
    for prompt, ids in zip(prompts, drawn.completions, strict=True):
        theirs = model.generate(
            torch.tensor([prompt]), max_new_tokens=24, do_sample=False, eos_token_id=end, pad_token_id=PAD
        )
        assert ids == theirs[0, len(prompt) :].tolist()


@pytest.mark.parametrize("top_p", [1.0, 0.7])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_samples_equal_those_of_the_other_way_where_no_row_leaves(narrow, architecture, top_p):
    """Then both draw the same random numbers for the same rows, batch after batch."""
    model, prompts = tiny_model(architecture), ragged_prompts(6)
    ways = [sample(model, prompts, fixed=fixed, eos=-1, max_rows=10, top_p=top_p) for fixed in (True, False)]
    assert_equal(*ways)


def test_one_row_alone_draws_what_it_draws_the_other_way(narrow):
    model = tiny_model()
    for seed, prompt in enumerate(ragged_prompts(12)):
        ways = [sample(model, [prompt], fixed=fixed, samples=1, seed=seed) for fixed in (True, False)]
        assert_equal(*ways)


@pytest.mark.parametrize("temperature", [0.5, 1.7])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_logprobs_are_those_of_a_plain_pass(narrow, architecture, temperature):
    """While half of the rows leave the batch, again and again."""
    model, prompts = tiny_model(architecture), ragged_prompts(9)
    drawn = sample(model, prompts, temperature=temperature, top_p=0.9, max_rows=20)
    assert len({len(ids) for ids in drawn.completions}) > 3
    for i, ids in enumerate(drawn.completions):
        plain = plain_logprobs(model, prompts[i // 4], ids, temperature)
        assert torch.allclose(torch.from_numpy(drawn.logprobs[i]), plain, atol=1e-4)
        assert drawn.finished[i] == (ids[-1] == EOS)
        assert drawn.finished[i] or len(ids) == 24


def test_pairs_have_the_enumerated_frequencies():
    model, prompt, n = tiny_model(vocabulary=6, sharpness=4.0), [4, 3, 5], 10_000
    drawn = sample(model, [prompt], samples=n, max_new_tokens=2, max_rows=n)

    @torch.no_grad()
    def distribution(ids):
        return model(input_ids=torch.tensor([ids])).logits[0, -1].float().softmax(-1).tolist()

    first = distribution(prompt)
    expected = {(EOS,): first[EOS]}
    for a in range(6):
        if a != EOS:
            expected |= {(a, b): first[a] * p for b, p in enumerate(distribution([*prompt, a]))}
    counts = dict.fromkeys(expected, 0)
    for ids in drawn.completions:
        counts[tuple(ids)] += 1
    for pair, p in expected.items():
        assert abs(counts[pair] / n - p) <= 4.5 * (p * (1 - p) / n) ** 0.5


def test_bf16_agrees_with_the_other_way_as_far_as_bf16_goes():
    """Whichever rounding tips first, the tokens part there: compared up to that point."""
    model, prompts = tiny_model(sharpness=4.0), ragged_prompts(6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        one, other = (sample(model, prompts, fixed=fixed, greedy=True, samples=1) for fixed in (True, False))
    compared = 0
    for ids, others, a, b in zip(one.completions, other.completions, one.logprobs, other.logprobs, strict=True):
        for token, twin, x, y in zip(ids, others, a, b, strict=False):
            if token != twin:
                break
            assert x == pytest.approx(y, abs=0.1)
            compared += 1
    assert compared > 30


def test_random_numbers_are_the_same_one_by_one_and_together():
    one, other = (torch.Generator().manual_seed(7) for _ in range(2))
    together = uniforms(8, 5, one, CPU)
    assert torch.equal(
        together, torch.stack([torch.rand(5, 1, dtype=torch.float64, generator=other) for _ in range(8)])
    )


def test_a_step_looks_at_nothing_that_the_host_would_have_to_wait_for(monkeypatch):
    """What CUDA refuses while it records: values of tensors in Python, and shapes that depend on values."""
    forbidden = {"aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::unique", "aten::equal"}
    seen, steps = set(), 0

    class Spy(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
            seen.add(function._schema.name)
            return function(*arguments, **(keywords or {}))

    run = Graphs.run

    def spied(self, shape, step):
        nonlocal steps
        steps += 1
        with Spy():
            run(self, shape, step)

    monkeypatch.setattr(Graphs, "run", spied)
    for architecture, greedy, top_p in itertools.product(ARCHITECTURES, (True, False), (1.0, 0.7)):
        sample(tiny_model(architecture), ragged_prompts(4), greedy=greedy, top_p=top_p)
    assert steps > 100
    assert "aten::argmax" in seen
    assert "aten::sort" in seen or "aten::topk" in seen
    assert not seen & forbidden


class Recordings:
    """Stands for CUDA graphs: a recording is made without running the step, and runs it when played."""

    def __init__(self, fails_at=None):
        self.fails_at, self.made, self.played = fails_at, 0, 0

    def record(self, step):
        self.made += 1
        if self.made == self.fails_at:
            raise RuntimeError("operation not permitted when stream is capturing\nmore lines")
        recordings = self

        class Recording:
            def replay(self):
                recordings.played += 1
                step()

        return Recording()


@pytest.mark.parametrize("fails_at", [None, 1, 3])
def test_recorded_or_not_the_completions_are_the_same(narrow, monkeypatch, caplog, fails_at):
    model, prompts = tiny_model(), ragged_prompts(9)
    expected = sample(model, prompts, max_rows=20)
    recordings = Recordings(fails_at)
    made = Graphs.__init__

    def possible(self, device):
        made(self, device)
        self.possible = True

    monkeypatch.setattr(Graphs, "__init__", possible)
    monkeypatch.setattr(Graphs, "_record", lambda self, step: recordings.record(step))
    fixed_shapes.warn_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        found = [sample(model, prompts, max_rows=20) for _ in range(2)]
    for drawn in found:
        assert drawn.completions == expected.completions
        assert all((a == b).all() for a, b in zip(drawn.logprobs, expected.logprobs, strict=True))
    assert recordings.played > 20 if fails_at != 1 else True
    warnings = [record.message for record in caplog.records]
    assert len(warnings) == (0 if fails_at is None else 1)
    assert not warnings or "operation not permitted when stream is capturing)" in warnings[0]


def test_sliding_windows_are_refused():
    with pytest.raises(ValueError, match="fixed_shapes: found True with mistral, allowed: full attention"):
        sample(tiny_model("mistral"), ragged_prompts(2))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device: none here")
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("top_p", [1.0, 0.7])
def test_on_a_gpu_recorded_steps_give_what_unrecorded_ones_give(monkeypatch, caplog, architecture, top_p):
    model, prompts = tiny_model(architecture).to("cuda"), ragged_prompts(9)
    recorded = sample(model, prompts, top_p=top_p)
    assert not caplog.records
    monkeypatch.setattr(Graphs, "_record", lambda self, step: (_ for _ in ()).throw(RuntimeError("not wanted")))
    assert_equal(recorded, sample(model, prompts, top_p=top_p))
