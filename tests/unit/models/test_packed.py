"""Passes without padding against padded ones: on a CPU, where attention is masked instead of told lengths."""

from __future__ import annotations

import pytest
import torch
from rl_toys import PAD, ragged_prompts, tiny_model

from echochamber.models import logprobs
from echochamber.models.forward import LanguageModel, completion_logprobs
from echochamber.models.packed import ATTENTION, balanced, pack, tokens_at_once
from echochamber.rl.critic import Critic

PROMPTS = ragged_prompts(6)
COMPLETIONS = ragged_prompts(6, seed=1)
CPU = torch.device("cpu")


@pytest.fixture
def packed(monkeypatch):
    """Turns the packed way on and off."""

    def turn(on: bool) -> None:
        monkeypatch.setattr(LanguageModel, "packs", property(lambda model: on))

    return turn


def logprobs_and_gradient(policy: LanguageModel) -> tuple[torch.Tensor, torch.Tensor]:
    policy.model.zero_grad()
    found, mask = completion_logprobs(policy, PROMPTS, COMPLETIONS, pad=PAD, temperature=0.9)
    assert mask.sum() == sum(map(len, COMPLETIONS))
    (found**2).sum().backward()
    return found.detach(), torch.cat([weight.grad.flatten() for weight in policy.model.parameters()])


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("architecture", ["olmo", "llama", "gpt_neox"])
def test_log_probabilities_and_gradients_are_those_of_the_padded_pass(packed, monkeypatch, architecture, recompute):
    policy = LanguageModel(tiny_model(architecture), recompute=recompute)
    usual = policy.config._attn_implementation
    plain, gradient = logprobs_and_gradient(policy)
    packed(True)
    monkeypatch.setattr(logprobs, "LOGITS_AT_ONCE", 7 * policy.config.vocab_size)
    found, found_gradient = logprobs_and_gradient(policy)
    assert torch.allclose(found, plain, atol=1e-5)
    assert torch.allclose(found_gradient, gradient, atol=1e-5 * float(gradient.abs().max()))
    assert policy.config._attn_implementation == usual != ATTENTION
    packed(False)
    assert torch.equal(logprobs_and_gradient(policy)[0], plain)  # nothing of it stays


def test_the_critic_gives_the_same_values(packed):
    critic = Critic(tiny_model())
    torch.nn.init.normal_(critic.value_head.weight, generator=torch.Generator().manual_seed(0))
    plain = critic.values(PROMPTS, COMPLETIONS, PAD)
    packed(True)
    assert plain.abs().max() > 0.1
    assert torch.allclose(critic.values(PROMPTS, COMPLETIONS, PAD), plain, atol=1e-5)


def test_a_packing_by_hand():
    packing = pack([[5, 6, 7], [8]], [[1, 2], [3, 4, 2]], CPU)
    assert packing.ids.tolist() == [[5, 6, 7, 1, 8, 3, 4]]
    assert packing.positions.tolist() == [[0, 1, 2, 3, 0, 1, 2]]
    assert packing.bounds.tolist() == [0, 4, 7]
    assert packing.predicting.tolist() == [2, 3, 4, 5, 6]
    assert packing.longest == 4


def test_parts_are_balanced_and_lose_no_row():
    tokens = [10, 3, 7, 7, 1, 20, 4]
    parts = balanced([0, 1, 2, 3, 5, 6], tokens, 26)
    assert sorted(row for part in parts for row in part) == [0, 1, 2, 3, 5, 6]
    assert sorted(sum(tokens[row] for row in part) for part in parts) == [24, 27]  # longest first
    assert balanced([], tokens, 26) == []
    assert balanced([5], tokens, 3) == [[5]]  # a row that is longer than the limit is computed alone


def test_tokens_at_once_by_hand():
    config = tiny_model().config  # 2 layers, 16 and 32 wide: 4 x 2 x (16 x 16 + 5 x 32) bytes a token
    assert tokens_at_once(config, 3328 * 100) == 100
    assert tokens_at_once(config, 2**50) == 2**16
    assert tokens_at_once(config, 0) == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device: none here")
@pytest.mark.parametrize("compile", [False, True])
def test_on_a_gpu_it_agrees_with_fp32_as_far_as_bf16_goes(compile):
    """Heads of 16, two of them sharing keys: what FlashAttention takes."""
    policy = LanguageModel(tiny_model("llama", width=64, sharpness=4.0).to("cuda"), compile=compile)
    assert not policy.packs
    plain, gradient = logprobs_and_gradient(policy)
    with torch.autocast("cuda", dtype=torch.bfloat16):
        assert policy.packs
        found, found_gradient = logprobs_and_gradient(policy)
        with torch.no_grad():
            again, _ = completion_logprobs(policy, PROMPTS, COMPLETIONS, pad=PAD, temperature=0.9)
    assert (found - plain).abs().mean() < 0.1
    assert torch.nn.functional.cosine_similarity(found_gradient, gradient, dim=0) > 0.97
    assert (again - found).abs().max() < 0.1
