"""Decoding in fixed shapes against the other way of decoding, against transformers, and against plain passes."""

import itertools
import logging

import pytest
import rl_toys
import torch
from rl_toys import EOS, PAD, plain_logprobs, ragged_prompts, tiny_model

from echochamber.models.forward import LanguageModel
from echochamber.sampling import fixed_shapes, graphs
from echochamber.sampling.draw import _threshold, draw, draw_in_parts, uniforms
from echochamber.sampling.graphs import Graphs

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
def test_a_completion_is_the_same_whatever_is_decoded_beside_it(narrow, architecture, top_p):
    """Alone, a few at once with others taking the places of those that are done, or all together."""
    model, prompts = tiny_model(architecture), ragged_prompts(7)
    together = sample(model, prompts, top_p=top_p)
    assert len({len(ids) for ids in together.completions}) > 4
    for rows in (1, 3, 8):
        assert_equal(sample(model, prompts, top_p=top_p, max_rows=rows), together)


def test_rows_that_are_done_are_replaced(narrow, monkeypatch):
    """28 completions in 4 rows: batch after batch would take as many steps as the longest of each batch has."""
    steps = 0
    run = Graphs.run

    def counted(self, shape, step):
        nonlocal steps
        steps += 1
        run(self, shape, step)

    monkeypatch.setattr(Graphs, "run", counted)
    monkeypatch.setattr(fixed_shapes, "STEPS_BETWEEN_LOOKS", 1)
    drawn = sample(tiny_model(), ragged_prompts(7), max_rows=4)
    lengths = [len(ids) for ids in drawn.completions]
    batches = sum(max(lengths[begin : begin + 4]) for begin in range(0, 28, 4))
    assert -(-sum(lengths) // 4) <= steps < batches
    assert steps <= -(-sum(lengths) // 4) + max(lengths)  # a list schedule: no row is empty while one waits


def test_memory_is_kept_from_one_call_to_the_next_and_weights_are_not(narrow):
    prompts, model = ragged_prompts(5), LanguageModel(tiny_model())
    first = sample(model, prompts)
    kept = model.decoding[1]
    with torch.no_grad():
        for weight in model.model.parameters():
            weight.mul_(1.3)
    again = sample(model, prompts)
    assert model.decoding[1] is kept
    assert again.completions != first.completions
    assert_equal(again, sample(LanguageModel(model.model), prompts))
    sample(model, prompts, max_new_tokens=40)
    assert model.decoding[1] is not kept


def test_it_draws_what_the_cumulated_probabilities_say():
    """The token by `draw` for the same number, whatever the size of the vocabulary and however flat the rows."""
    generator = torch.Generator().manual_seed(0)
    for vocabulary, sharpness in itertools.product((5, 128, 129, 1000), (0.0, 1.0, 20.0)):
        logits = sharpness * torch.randn(300, vocabulary, generator=generator)
        uniform = torch.rand(300, 1, dtype=torch.float64, generator=generator)
        uniform[:2, 0] = torch.tensor([0.0, 1 - 2**-20])
        for numbers in (uniform, None):
            parts = draw_in_parts(logits, top_p=1.0, uniform=numbers)
            whole = draw(logits, top_p=1.0, uniform=numbers)
            assert torch.equal(parts[0], whole[0])
            assert torch.allclose(parts[1], whole[1], atol=1e-5)
            assert torch.allclose(parts[2], whole[2], atol=1e-4)


def test_the_last_number_finds_a_token_that_has_a_probability():
    """Rounding may add up to less than one: never a token that is ruled out, nor one beyond the vocabulary."""
    logits = torch.full((200, 131), -torch.inf)
    logits[:, :130] = torch.randn(200, 130, generator=torch.Generator().manual_seed(2))
    logits[100:, 2:] = -torch.inf
    tokens, logprobs, _ = draw_in_parts(logits, top_p=1.0, uniform=torch.full((200, 1), 1 - 2**-53).double())
    assert torch.isfinite(logprobs).all()
    assert (tokens[:100] == 129).all()
    assert (tokens[100:] == 1).all()


def test_the_nucleus_is_that_of_a_sort():
    """Tokens ruled out (minus infinity) among them."""
    generator = torch.Generator().manual_seed(1)
    logits = 3 * torch.randn(50, 300, generator=generator)
    logits[:, ::7] = -torch.inf
    probabilities = logits.softmax(-1)
    ordered = probabilities.sort(-1, descending=True).values
    for top_p in (0.1, 0.5, 0.95, 0.999):
        first = (ordered.double().cumsum(-1) >= top_p).int().argmax(-1)
        assert torch.equal(_threshold(probabilities, top_p)[:, 0], ordered.gather(1, first[:, None])[:, 0])
        allowed = probabilities >= ordered.gather(1, first[:, None])
        for _ in range(20):
            uniform = torch.rand(50, 1, dtype=torch.float64, generator=generator)
            tokens, logprobs, _ = draw_in_parts(logits, top_p=top_p, uniform=uniform)
            assert allowed.gather(1, tokens[:, None]).all()
            assert torch.allclose(logprobs, logits.log_softmax(-1).gather(1, tokens[:, None])[:, 0], atol=1e-5)


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
    assert "aten::searchsorted" in seen
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
    graphs.warn_once.cache_clear()
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


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device: none here")
def test_on_a_gpu_attention_that_is_told_lengths_agrees_with_a_mask(monkeypatch):
    """In bf16, greedily, up to the first token that rounding turns."""
    model, prompts = tiny_model(width=64, sharpness=4.0).to("cuda"), ragged_prompts(9)
    with torch.autocast("cuda", dtype=torch.bfloat16):
        told = sample(LanguageModel(model), prompts, greedy=True, samples=1)
        monkeypatch.setattr(fixed_shapes, "available", lambda *_: False)
        masked = sample(LanguageModel(model), prompts, greedy=True, samples=1)
    compared = 0
    for ids, others, a, b in zip(told.completions, masked.completions, told.logprobs, masked.logprobs, strict=True):
        for token, twin, x, y in zip(ids, others, a, b, strict=False):
            if token != twin:
                break
            assert x == pytest.approx(y, abs=0.1)
            compared += 1
    assert compared > 60
