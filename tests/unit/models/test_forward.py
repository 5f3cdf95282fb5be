"""Gradient checkpointing changes memory alone, whatever an architecture does in training mode."""

from __future__ import annotations

import copy

import pytest
import torch
from rl_toys import PAD, ragged_prompts, tiny_model
from torch.utils.checkpoint import checkpoint

from echochamber.errors import UserError
from echochamber.models import forward, packed
from echochamber.models.forward import LanguageModel, completion_logprobs
from echochamber.rl.critic import Critic

PROMPTS = ragged_prompts(6)
COMPLETIONS = ragged_prompts(6, seed=1)
ARCHITECTURES = ["opt", "bloom", "falcon", "gpt_neox", "llama", "olmo"]


def logprobs_and_gradient(model, recompute: bool):
    policy = LanguageModel(model, recompute=recompute)
    logprobs, mask = completion_logprobs(policy, PROMPTS, COMPLETIONS, pad=PAD, temperature=1.0)
    assert mask.sum() == sum(map(len, COMPLETIONS))
    (logprobs**2).sum().backward()
    gradient = torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None])
    model.zero_grad()
    return logprobs.detach(), gradient


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_log_probabilities_and_gradients_are_those_without_it(architecture):
    """Dropout of one half in every place that the architecture has: a pass with it on is far away."""
    model = tiny_model(architecture, dropout=0.5)
    plain, gradient = logprobs_and_gradient(copy.deepcopy(model), recompute=False)
    first, first_gradient = logprobs_and_gradient(model, recompute=True)
    again, again_gradient = logprobs_and_gradient(model, recompute=True)
    assert torch.equal(first, again)
    assert torch.equal(first_gradient, again_gradient)
    assert torch.allclose(first, plain, atol=1e-4, rtol=0)
    assert torch.allclose(first_gradient, gradient, atol=1e-3 * float(gradient.abs().max()), rtol=0)
    assert not model.training


@pytest.mark.parametrize("architecture", ["opt", "bloom", "falcon"])
def test_without_gradients_it_is_the_same_pass(architecture):
    policy = LanguageModel(tiny_model(architecture, dropout=0.5), recompute=True)
    with torch.no_grad():
        one, two = (completion_logprobs(policy, PROMPTS, COMPLETIONS, pad=PAD, temperature=1.0)[0] for _ in range(2))
    learning, _ = completion_logprobs(policy, PROMPTS, COMPLETIONS, pad=PAD, temperature=1.0)
    assert torch.equal(one, two)
    assert torch.allclose(one, learning.detach(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("architecture", ["opt", "bloom", "falcon"])
def test_the_critic_is_deterministic_too(architecture):
    values = []
    for recompute in (False, True, True):
        critic = Critic(tiny_model(architecture, dropout=0.5), recompute=recompute)
        torch.nn.init.ones_(critic.value_head.weight)
        values.append(critic.values(PROMPTS, COMPLETIONS, PAD).detach())
    assert torch.equal(values[1], values[2])
    assert torch.allclose(values[0], values[1], atol=1e-3)


def test_every_layer_is_made_again_and_a_copy_keeps_its_own_weights(monkeypatch):
    calls = []

    def counted(function, *args, **kwargs):
        calls.append(function)
        return checkpoint(function, *args, **kwargs)

    monkeypatch.setattr(forward, "checkpoint", counted)
    policy = LanguageModel(tiny_model("opt"), recompute=True)
    completion_logprobs(policy, PROMPTS, COMPLETIONS, pad=PAD, temperature=1.0)
    assert len(calls) == policy.config.num_hidden_layers
    other = copy.deepcopy(policy.model)
    with torch.no_grad():
        for weight in other.parameters():
            weight.zero_()
    flat, mask = completion_logprobs(
        LanguageModel(other, recompute=True), PROMPTS, COMPLETIONS, pad=PAD, temperature=1.0
    )
    assert torch.allclose(flat[mask], -torch.log(torch.tensor(40.0)))  # uniform over the vocabulary


def test_an_architecture_without_layers_to_checkpoint_is_refused(monkeypatch):
    monkeypatch.setattr(packed, "GradientCheckpointingLayer", torch.nn.Bilinear)
    with pytest.raises(UserError, match="gradient_checkpointing: found true with a base model of type olmo"):
        LanguageModel(tiny_model(), recompute=True)
