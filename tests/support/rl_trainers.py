"""A toy of the policy-gradient trainer and its runs: what the tests of it share."""

import pytest
import torch
from rl_toys import QUESTIONS, MemoryState, letters, tiny_model, verify_letters

from echochamber.algorithms import algorithm
from echochamber.rl import rollout
from echochamber.rl.policy_gradient import train
from echochamber.rl.step import Trainer
from echochamber.sampling.prompts import encode_questions

KINDS = ["ppo", "grpo", "reinforce_baseline", "rloo", "dr_grpo", "gspo", "dapo", "cispo"]
NO_KL = {"place": "none"}
KL_IN_REWARD = {"place": "reward", "estimator": "k1", "coefficient": 0.1}
KL_IN_LOSS = {"place": "loss", "estimator": "k3", "coefficient": 0.1}
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def judge(monkeypatch):
    monkeypatch.setattr(rollout, "verify_batch", verify_letters)


def settings(**changes):
    toy = {
        "kind": "grpo",
        "passes": 1,
        "prompts_per_batch": 6,
        "samples_per_prompt": 4,
        "sampling": {"temperature": 1.0, "max_new_tokens": 8},
        "update_batch": 12,
        "micro_batch": 5,
        "learning_rate": 3e-3,
        "critic_learning_rate": 3e-3,
        "precision": "fp32",
        "log_spaced_checkpoints": 0,
        "checkpoint_every_pass": False,
    }
    return algorithm(**(toy | changes))


def toy_model(seed=0):
    return tiny_model(vocabulary=24, sharpness=6.0, seed=seed)


def run(seed=0, state=None, stop=lambda: False, model=None, **changes):
    model = model or toy_model()
    metrics, _ = train(
        settings(**changes), model, letters(), QUESTIONS, seed=seed, state=state or MemoryState(), stop=stop, device=CPU
    )
    return metrics, model.state_dict()


def trainer_and_batch(step=1, reward="executed", **changes):
    chosen = settings(reward=reward, **changes)
    trainer = Trainer(chosen, toy_model(), letters(), len(QUESTIONS), 0, CPU)
    prompts = encode_questions(letters(), QUESTIONS[: chosen.prompts_per_batch])
    drawn = rollout.collect(
        trainer.policy,
        letters(),
        prompts,
        QUESTIONS[: len(prompts)],
        samples=chosen.samples_per_prompt,
        sampling=chosen.sampling,
        reward=reward,
        truncated="wrong",
        seed=0,
        step=step,
    )
    return trainer, drawn


def weights_of(trainer):
    return [weight.detach().clone() for weight in trainer.policy.model.parameters()]


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def close(one, other, atol):
    return all(torch.allclose(a, b, atol=atol, rtol=0) for a, b in zip(one, other, strict=True))
