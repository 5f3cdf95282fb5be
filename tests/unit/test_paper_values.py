"""Every setting of the paper, from config/paper.yaml or the defaults of the schema, against the paper's own table."""

from pathlib import Path

import pytest

from echochamber.loading import load
from echochamber.settings import Benchmark, ExpertIteration, PolicyGradient, Pretraining

FILE = Path(__file__).parents[2] / "config/paper.yaml"


@pytest.fixture(scope="module")
def paper():
    return load(FILE).file


SHARED = {
    "passes": 10,
    "prompts_per_batch": 64,
    "samples_per_prompt": 8,
    "update_batch": 64,
    "update_passes": 1,
    "learning_rate": 1e-6,
    "warmup": 0.03,
    "final_learning_rate": 0.1,
    "betas": (0.9, 0.95),
    "weight_decay": 0.0,
    "gradient_clip": 1.0,
    "reward": "correct",
    "clip": 0.2,
    "reduction": "token",
    "log_spaced_checkpoints": 15,
    "checkpoint_every_pass": True,
    "precision": "bf16",
}
SAMPLING = {"temperature": 0.7, "top_p": 1.0, "max_new_tokens": 1024}
ONLY = {
    "ppo": {
        "critic_learning_rate": 7e-6,
        "gamma": 1.0,
        "gae_lambda": 0.95,
        "value_clip": 0.2,
        "value_coefficient": 0.5,
    },
    "grpo": {"advantage_epsilon": 1e-9},
    "reinforce_baseline": {},
}
KL = {"ppo": ("reward", "k1"), "grpo": ("loss", "k3"), "reinforce_baseline": ("reward", "k1")}


def values(settings, names):
    return {name: getattr(settings, name) for name in names}


@pytest.mark.parametrize(
    ("name", "kind", "coefficient"),
    [
        ("ppo", "ppo", 1e-3),
        ("ppo-kl0", "ppo", 0.0),
        ("ppo-kl.01", "ppo", 1e-2),
        ("grpo", "grpo", 1e-3),
        ("grpo-kl0", "grpo", 0.0),
        ("grpo-kl.01", "grpo", 1e-2),
        ("reinforce", "reinforce_baseline", 1e-3),
    ],
)
def test_policy_gradients(paper, name, kind, coefficient):
    found = paper.algorithms[name]
    assert isinstance(found, PolicyGradient)
    assert found.kind == kind
    assert values(found, SHARED) == SHARED
    assert found.sampling.model_dump() == SAMPLING
    assert values(found, ONLY[kind]) == ONLY[kind]
    assert (found.kl.coefficient, found.kl.level) == (coefficient, "token")
    assert (found.kl.place, found.kl.estimator) == (KL[kind] if coefficient else ("none", "k1"))


@pytest.mark.parametrize(
    ("name", "iterations", "start"), [("ei", 3, "base"), ("ei-2", 2, "base"), ("ei-online", 3, "online")]
)
def test_expert_iteration(paper, name, iterations, start):
    found = paper.algorithms[name]
    assert isinstance(found, ExpertIteration)
    expected = {
        "iterations": iterations,
        "start": start,
        "prompts_per_iteration": None,
        "samples_per_prompt": 64,
        "drop_duplicates": True,
        "epochs": 2,
        "batch": 256,
        "learning_rate": 1e-4,
        "warmup": 0.03,
        "final_learning_rate": 0.1,
    }
    assert values(found, expected) == expected
    assert found.sampling.model_dump() == {"temperature": 1.0, "top_p": 0.95, "max_new_tokens": 1024}


def test_the_algorithms_are_all_compared(paper):
    assert set(paper.algorithms) == {
        *("ppo", "ppo-kl0", "ppo-kl.01", "grpo", "grpo-kl0", "grpo-kl.01", "reinforce", "ei", "ei-2", "ei-online")
    }
    assert (paper.prompts["gsm8k"].questions, paper.prompts["gsm8k"].count) == ("gsm8k", None)


def test_pretraining(paper):
    assert isinstance(paper.pretraining, Pretraining)
    expected = {
        "sequence_length": 2048,
        "batch_rows": 512,
        "packing": "concatenate",
        "learning_rate": 1e-3,
        "warmup_steps": 5000,
        "final_learning_rate": 0.1,
        "betas": (0.9, 0.95),
        "epsilon": 1e-8,
        "weight_decay": 0.1,
        "gradient_clip": 1.0,
        "precision": "bf16",
    }
    assert values(paper.pretraining, expected) == expected


def test_models(paper):
    names = ("width", "layers", "heads", "intermediate", "tied")
    found = {name: tuple(values(scale, names).values()) for name, scale in paper.scales.items()}
    assert found["150m"] == (768, 12, 12, 3072, False)
    assert found["1b"] == (2048, 16, 16, 8192, True)


def test_evaluation(paper):
    expected = {"count": None, "samples": 64, "temperature": 0.7, "top_p": 0.95, "max_new_tokens": 2048}
    assert {"gsm8k", "math-500", "aime-1983-2024", "aime-2022-2024"} <= set(paper.benchmarks)
    for benchmark in paper.benchmarks.values():
        assert isinstance(benchmark, Benchmark)
        assert values(benchmark, expected) == expected


def test_mixtures(paper):
    passes = {name: mixture.passes for name, mixture in paper.mixtures.items()}
    expected = {
        "tg": {"tg": 1},
        "2xtg": {"tg": 2},
        "4xtg": {"tg": 4},
        "8xtg": {"tg": 8},
        "omi1": {"omi1": 1},
        "tg+omi1": {"tg": 1, "omi1": 1},
        "tg+2xomi1": {"tg": 1, "omi1": 2},
        "tg+4xomi1": {"tg": 1, "omi1": 4},
        "tg+8xomi1": {"tg": 1, "omi1": 8},
        "tg+omi2": {"tg": 1, "omi2": 1},
        "tg+omi1+omi2": {"tg": 1, "omi1": 1, "omi2": 1},
        "omi2+mmqa": {"omi2": 1, "mmqa": 1},
        "4xtg-alone": {"tg": 4},
    }
    assert {name: passes[name] for name in expected} == expected
    assert set(paper.background) == {"as", "fm3"}
    assert [name for name, mixture in paper.mixtures.items() if not mixture.background] == ["4xtg-alone"]
