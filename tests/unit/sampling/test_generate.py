"""The sampler against plain passes, against transformers' own generate, and against exact probabilities."""

import itertools

import numpy as np
import pytest
import torch
from rl_toys import EOS, PAD, plain_logprobs, ragged_prompts, sample, tiny_model
from transformers import TopPLogitsWarper

from echochamber.models.forward import LanguageModel, completion_logprobs
from echochamber.sampling.draw import draw, uniforms
from echochamber.sampling.generate import rows_at_once

ARCHITECTURES = ["olmo", "llama", "gpt_neox", "mistral"]


@pytest.mark.parametrize(("temperature", "top_p"), [(0.2, 1.0), (0.5, 1.0), (1.0, 1.0), (1.7, 1.0), (4.0, 0.6)])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_sampler_trainer_and_a_plain_pass_agree(architecture, temperature, top_p):
    model = tiny_model(architecture)
    prompts = ragged_prompts(7)
    drawn = sample(model, prompts, temperature=temperature, top_p=top_p, max_rows=10)
    lengths = {len(ids) for ids in drawn.completions}
    assert len(lengths) > 3
    assert 0 < sum(drawn.finished) < 28
    rows = [prompt for prompt in prompts for _ in range(4)]
    trainer, mask = completion_logprobs(LanguageModel(model), rows, drawn.completions, pad=PAD, temperature=temperature)
    for i, (prompt, ids) in enumerate(zip(rows, drawn.completions, strict=True)):
        plain = plain_logprobs(model, prompt, ids, temperature)
        assert drawn.logprobs[i].dtype == np.float32
        assert torch.allclose(torch.from_numpy(drawn.logprobs[i]), plain, atol=1e-4)
        assert torch.allclose(trainer[i][mask[i]], plain, atol=1e-4)
        assert mask[i].sum() == len(ids)
        assert not trainer[i][~mask[i]].any()


def test_logprobs_are_those_before_top_p():
    model = tiny_model()
    prompts = ragged_prompts(5)
    drawn = sample(model, prompts, top_p=0.6)
    for i, ids in enumerate(drawn.completions):
        plain = plain_logprobs(model, prompts[i // 4], ids, 1.0)
        assert torch.allclose(torch.from_numpy(drawn.logprobs[i]), plain, atol=1e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_greedy_equals_transformers(architecture):
    model = tiny_model(architecture, seed=3)
    prompts = ragged_prompts(8, seed=1)
    drawn = sample(model, prompts, samples=1, greedy=True)
    for prompt, ids in zip(prompts, drawn.completions, strict=True):
        theirs = model.generate(
            torch.tensor([prompt]), max_new_tokens=24, do_sample=False, eos_token_id=EOS, pad_token_id=PAD
        )
        assert ids == theirs[0, len(prompt) :].tolist()


def test_the_end_token_ends_a_completion_and_belongs_to_it():
    drawn = sample(tiny_model(), ragged_prompts(20), samples=4)
    for ids, logprobs, finished in zip(drawn.completions, drawn.logprobs, drawn.finished, strict=True):
        assert len(ids) == len(logprobs)
        assert EOS not in ids[:-1]
        assert finished == (ids[-1] == EOS)
        assert finished or len(ids) == 24


def test_long_completions():
    """More tokens than the cache has room for at first; no token ends them."""
    model, prompts = tiny_model(), ragged_prompts(3)
    drawn = sample(model, prompts, samples=2, eos=-1, max_new_tokens=110)
    assert not any(drawn.finished)
    for i, ids in enumerate(drawn.completions):
        assert len(ids) == 110
        plain = plain_logprobs(model, prompts[i // 2], ids, 1.0)
        assert torch.allclose(torch.from_numpy(drawn.logprobs[i]), plain, atol=1e-4)


def test_completions_stand_beside_their_prompt():
    """Prompts of different lengths are decoded in another order than they are given in."""
    model = tiny_model()
    prompts = ragged_prompts(6)
    one_by_one = [sample(model, [prompt], samples=1, greedy=True).completions[0] for prompt in prompts]
    together = sample(model, prompts, samples=3, greedy=True, max_rows=4)
    assert together.completions == [ids for ids in one_by_one for _ in range(3)]
    assert together.prompts == prompts


def test_the_generator_decides():
    model, prompts = tiny_model(), ragged_prompts(6)
    first, again, other = (sample(model, prompts, seed=seed) for seed in (5, 5, 6))
    assert first.completions == again.completions
    assert all(np.array_equal(a, b) for a, b in zip(first.logprobs, again.logprobs, strict=True))
    assert first.entropy == again.entropy
    assert first.completions != other.completions


def test_entropy_is_that_of_the_distributions_drawn_from():
    model, prompts = tiny_model(), ragged_prompts(3)
    drawn = sample(model, prompts, samples=1, temperature=0.8)
    for prompt, ids, entropy in zip(prompts, drawn.completions, drawn.entropy, strict=True):
        logits = model(input_ids=torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1]
        logprobs = (logits / 0.8).log_softmax(-1)
        assert entropy == pytest.approx(-(logprobs.exp() * logprobs).sum().item(), abs=1e-3)


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.6, 1.0), (1.0, 0.7)])
def test_samples_of_two_tokens_have_the_enumerated_frequencies(temperature, top_p):
    """Every pair of tokens of a vocabulary of six, its exact probability, and how often 20,000 samples hit it."""
    model = tiny_model(vocabulary=6, sharpness=4.0)
    prompt = [4, 3, 5]

    def distribution(ids):
        logits = model(input_ids=torch.tensor([ids])).logits[0, -1:].float() / temperature
        return TopPLogitsWarper(top_p)(None, logits).softmax(-1)[0].tolist()

    expected = {}
    with torch.no_grad():
        first = distribution(prompt)
        for a in range(6):
            if a == EOS:
                expected[(a,)] = first[a]
                continue
            second = distribution([*prompt, a])
            expected |= {(a, b): first[a] * second[b] for b in range(6)}
    n = 20_000
    drawn = sample(model, [prompt], samples=n, max_new_tokens=2, temperature=temperature, top_p=top_p, max_rows=n)
    counts = {pair: 0 for pair in expected}
    for ids in drawn.completions:
        counts[tuple(ids)] += 1
    assert sum(p > 0 for p in expected.values()) > 8
    for pair, p in expected.items():
        assert abs(counts[pair] / n - p) <= 4.5 * (p * (1 - p) / n) ** 0.5


def test_top_p_draws_from_the_nucleus_of_transformers():
    generator = torch.Generator().manual_seed(0)

    def numbers(rows):
        return uniforms(1, rows, generator, torch.device("cpu"))[0]

    logits = 3 * torch.randn(64, 300, generator=generator)
    logits[0] = 0.0  # flat: the nucleus is wider than the candidates that are looked at first
    for top_p in (0.2, 0.5, 0.9):
        allowed = TopPLogitsWarper(top_p)(None, logits).isfinite()
        for _ in range(20):
            tokens, _, _ = draw(logits, top_p=top_p, uniform=numbers(64))
            assert allowed[1:].gather(1, tokens[1:, None]).all()
    flat = logits[:1].expand(2000, 300)
    tokens, _, _ = draw(flat, top_p=0.5, uniform=numbers(2000))
    assert 140 <= len(set(tokens.tolist())) <= 151


def test_draws_never_hit_a_token_without_probability():
    logits = torch.full((4096, 50), -float("inf"))
    logits[:, 7] = 0.0
    logits[:, 49] = -3.0
    uniform = torch.rand(4096, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    tokens, logprobs, entropy = draw(logits, top_p=1.0, uniform=uniform)
    assert set(tokens.tolist()) == {7, 49}
    assert torch.isfinite(logprobs).all()
    assert torch.isfinite(entropy).all()


def test_a_sharp_draw_equals_greedy():
    model, prompts = tiny_model(), ragged_prompts(6)
    cold = sample(model, prompts, samples=1, temperature=1e-4)
    assert cold.completions == sample(model, prompts, samples=1, greedy=True).completions


def test_sampler_and_trainer_agree_in_bf16_as_far_as_bf16_goes():
    model = tiny_model(sharpness=4.0)
    prompts = ragged_prompts(6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        drawn = sample(model, prompts)
        rows = [prompt for prompt in prompts for _ in range(4)]
        trainer, mask = completion_logprobs(LanguageModel(model), rows, drawn.completions, pad=PAD, temperature=1.0)
    flat = torch.cat([torch.from_numpy(logprobs) for logprobs in drawn.logprobs])
    assert (trainer.detach()[mask] - flat).abs().mean() < 0.02


def test_rows_at_once_by_hand():
    # 2 (keys, values) x 2 layers x 16 numbers x 4 bytes = 256 bytes a token: 2^29 bytes hold 2^21 tokens
    model = LanguageModel(tiny_model())
    assert rows_at_once(model, 2**12) == 2**9
    assert rows_at_once(model, 2**30) == 1
    assert rows_at_once(model, 10) == 1024


def test_an_empty_prompt_is_refused():
    with pytest.raises(ValueError, match="found an empty one"):
        sample(tiny_model(), [[3], []])


def test_other_output_heads_are_taken_from_the_model_itself():
    """A head that does more than a matrix product (here: a scale, as Granite and Cohere have)."""
    model = tiny_model()
    forward = model.forward

    def scaled(*args, **kwargs):
        out = forward(*args, **kwargs)
        out.logits = out.logits * 0.5
        return out

    model.forward = scaled
    language_model = LanguageModel(model)
    assert not language_model.plain_head
    prompts = ragged_prompts(4)
    drawn = sample(language_model, prompts, samples=2)
    rows = [prompt for prompt in prompts for _ in range(2)]
    trainer, mask = completion_logprobs(language_model, rows, drawn.completions, pad=PAD, temperature=1.0)
    for i, (prompt, ids) in enumerate(zip(rows, drawn.completions, strict=True)):
        plain = plain_logprobs(model, prompt, ids, 1.0)
        assert torch.allclose(torch.from_numpy(drawn.logprobs[i]), plain, atol=1e-4)
        assert torch.allclose(trainer[i][mask[i]], plain, atol=1e-4)


def test_logits_made_in_chunks_change_neither_values_nor_gradients(monkeypatch):
    from echochamber.models import forward

    model = LanguageModel(tiny_model())
    prompts = ragged_prompts(5)
    completions = [[5, 6, 7, EOS], [9, EOS], [3] * 9, [4, 8, EOS], [11]]
    found = []
    for limit in (2**26, 3 * 40):
        monkeypatch.setattr(forward, "LOGITS_AT_ONCE", limit)
        model.model.zero_grad()
        logprobs, _ = completion_logprobs(model, prompts, completions, pad=PAD, temperature=0.9)
        (logprobs * torch.arange(9)).sum().backward()
        found.append((logprobs.detach(), [weight.grad.clone() for weight in model.model.parameters()]))
    assert torch.allclose(found[0][0], found[1][0], atol=1e-6)
    for one, other in itertools.zip_longest(found[0][1], found[1][1]):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5)
