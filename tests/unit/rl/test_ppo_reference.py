"""PPO against the papers' equations written out in plain loops, in float64, one token at a time."""

import copy
import math

import pytest
import torch
from rl_toys import QUESTIONS, letters, tiny_model, verify_letters

from echochamber.algorithms import algorithm
from echochamber.rl import rollout
from echochamber.rl.step import Trainer
from echochamber.sampling.prompts import encode_questions

CPU = torch.device("cpu")
BETA, GAMMA, LAMBDA, CLIP, VALUE_CLIP, VALUE_COEFFICIENT, TEMPERATURE = 0.3, 0.97, 0.9, 0.02, 0.05, 0.5, 0.8


def token_logprobs(model, prompt, completion):
    """log pi(a_t | s_t) of every token at the sampling temperature."""
    logits = model(input_ids=torch.tensor([prompt + completion]), use_cache=False).logits[0]
    found = []
    for t, token in enumerate(completion):
        scaled = logits[len(prompt) + t - 1] / TEMPERATURE
        found.append(scaled[token] - torch.log(torch.exp(scaled - scaled.max()).sum()) - scaled.max())
    return found


def token_values(body, weight, bias, prompt, completion):
    """V(s_t) of the state before every token."""
    states = body(input_ids=torch.tensor([prompt + completion]), use_cache=False).last_hidden_state[0]
    return [(states[len(prompt) + t - 1] * weight).sum() + bias for t in range(len(completion))]


def reference_targets(scores, old, reference, values):
    """Per completion: normalised advantages and returns, from r_t, delta_t and A_t."""
    advantages, returns = [], []
    for score, o, r, v in zip(scores, old, reference, values, strict=True):
        n = len(o)
        rewards = [-BETA * (o[t] - r[t]) + (score if t == n - 1 else 0.0) for t in range(n)]
        row, following = [0.0] * n, 0.0
        for t in reversed(range(n)):
            delta = rewards[t] + GAMMA * (v[t + 1] if t + 1 < n else 0.0) - v[t]
            row[t] = following = delta + GAMMA * LAMBDA * following
        advantages.append(row)
        returns.append([a + b for a, b in zip(row, v, strict=True)])
    flat = [a for row in advantages for a in row]
    mean = sum(flat) / len(flat)
    std = math.sqrt(sum((a - mean) ** 2 for a in flat) / len(flat))
    return [[(a - mean) / std for a in row] for row in advantages], returns


def test_both_losses_and_their_gradients_equal_the_equations(monkeypatch):
    monkeypatch.setattr(rollout, "verify_batch", verify_letters)
    settings = algorithm(
        kind="ppo",
        prompts_per_batch=6,
        samples_per_prompt=2,
        sampling={"temperature": TEMPERATURE, "max_new_tokens": 8},
        update_batch=6,
        micro_batch=4,
        learning_rate=3e-3,
        critic_learning_rate=1e-2,
        warmup=0.0,
        kl={"place": "reward", "estimator": "k1", "coefficient": BETA},
        gamma=GAMMA,
        gae_lambda=LAMBDA,
        clip=CLIP,
        value_clip=VALUE_CLIP,
        value_coefficient=VALUE_COEFFICIENT,
        precision="fp32",
    )
    base = tiny_model(vocabulary=24, sharpness=6.0)
    trainer = Trainer(settings, copy.deepcopy(base), letters(), len(QUESTIONS), 0, CPU)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():  # a policy that has left its reference, and a critic that says something
        for weight in trainer.policy.model.parameters():
            weight.add_(0.02 * torch.randn(weight.shape, generator=generator))
        trainer.critic.value_head.weight.copy_(0.1 * torch.randn(1, 16, generator=generator))
        trainer.critic.value_head.bias.fill_(0.3)
    prompts = encode_questions(letters(), QUESTIONS[:6])
    drawn = rollout.collect(
        trainer.policy,
        letters(),
        prompts,
        QUESTIONS[:6],
        samples=2,
        sampling=settings.sampling,
        reward="executed",
        truncated="wrong",
        seed=3,
        step=1,
    )
    assert 0 < drawn.scores.sum() < 12
    assert len({len(ids) for ids in drawn.completions}) > 2

    def snapshot():
        return (
            copy.deepcopy(trainer.policy.model).double(),
            copy.deepcopy(trainer.critic.model.base_model).double(),
            trainer.critic.value_head.weight.detach().double().clone()[0],
            trainer.critic.value_head.bias.detach().double().clone()[0],
        )

    seen = []
    update, step = trainer._update, trainer._step

    def spy_update(chosen, *arguments):
        seen.append({"rows": chosen.rows, "before": snapshot()})
        update(chosen, *arguments)

    def spy_step(optimizer):
        name = "policy" if optimizer is trainer.optimizer else "critic"
        seen[-1][name] = [weight.grad.clone() for group in optimizer.param_groups for weight in group["params"]]
        return step(optimizer)

    monkeypatch.setattr(trainer, "_update", spy_update)
    monkeypatch.setattr(trainer, "_step", spy_step)
    metrics = trainer.learn(1, drawn)
    assert len(seen) == 2
    assert metrics["clip_fraction"] > 0

    scores = drawn.scores.flatten().tolist()
    cases = list(zip(drawn.prompts, drawn.completions, strict=True))
    policy, body, weight, bias = seen[0]["before"]
    with torch.no_grad():
        plain = copy.deepcopy(base).double()
        old = [[float(x) for x in token_logprobs(policy, *case)] for case in cases]
        reference = [[float(x) for x in token_logprobs(plain, *case)] for case in cases]
        values = [[float(x) for x in token_values(body, weight, bias, *case)] for case in cases]
    advantages, returns = reference_targets(scores, old, reference, values)

    moved = 0
    for call in seen:
        policy, body, weight, bias = call["before"]
        policy.requires_grad_(True)
        body.requires_grad_(True)
        weight.requires_grad_(True)
        bias.requires_grad_(True)
        policy_loss = value_loss = 0.0
        tokens = sum(len(drawn.completions[row]) for row in call["rows"])
        for row in call["rows"]:
            now = token_logprobs(policy, *cases[row])
            value = token_values(body, weight, bias, *cases[row])
            for t in range(len(now)):
                ratio = torch.exp(now[t] - old[row][t])
                bounded = min(max(float(ratio), 1 - CLIP), 1 + CLIP)
                a = advantages[row][t]
                if float(ratio) * a <= bounded * a:
                    policy_loss = policy_loss - ratio * a / tokens
                else:
                    policy_loss = policy_loss - bounded * a / tokens
                    moved += 1
                far = (value[t] - returns[row][t]) ** 2
                near_value = values[row][t] + torch.clamp(value[t] - values[row][t], -VALUE_CLIP, VALUE_CLIP)
                near = (near_value - returns[row][t]) ** 2
                value_loss = value_loss + VALUE_COEFFICIENT * torch.maximum(far, near) / tokens
        expected = torch.autograd.grad(policy_loss, list(policy.parameters()))
        for ours, theirs in zip(call["policy"], expected, strict=True):
            assert torch.allclose(ours.double(), theirs, atol=1e-5, rtol=1e-4)
        expected = torch.autograd.grad(value_loss, [*body.parameters(), weight, bias])
        for ours, theirs in zip(call["critic"], expected, strict=True):
            assert torch.allclose(ours.double().view_as(theirs), theirs, atol=1e-5, rtol=1e-4)
        assert max(float(g.abs().max()) for g in call["policy"]) > 1e-3
    assert moved > 0

    errors = [
        r - v for returns_, values_ in zip(returns, values, strict=True) for r, v in zip(returns_, values_, strict=True)
    ]
    targets = torch.tensor([r for row in returns for r in row])
    assert metrics["explained_variance"] == pytest.approx(
        float(1 - torch.tensor(errors).var() / targets.var()), abs=1e-4
    )
