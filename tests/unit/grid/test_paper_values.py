"""Every setting of the paper, from config/paper.yaml or the defaults of the schema, against the paper's own table."""

from collections import Counter
from pathlib import Path

import pytest

from echochamber.analysis.theory import predictions
from echochamber.grid.parsing import load, parse, read
from echochamber.settings import Benchmark, ExpertIteration, PolicyGradient, Pretraining

FILE = Path(__file__).parents[3] / "config/paper.yaml"


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
    "reward": "authors",
    "truncated": "wrong",
    "clip": 0.2,
    "reduction": "micro_batch_mean",
    "mean_of": 8,
    "log_spaced_checkpoints": 15,
    "checkpoint_every_pass": True,
    "precision": "bf16",
}
SAMPLING = {"temperature": 0.7, "top_p": 1.0, "max_new_tokens": 1024, "tool": None}
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
        "reward": "authors",
        "iterations": iterations,
        "start": start,
        "prompts_per_iteration": None,
        "samples_per_prompt": 64,
        "drop_duplicates": True,
        "epochs": 2,
        "reduction": "micro_batch_mean",
        "mean_of": 8,
        "batch": 256,
        "learning_rate": 1e-4,
        "warmup": 0.03,
        "final_learning_rate": 0.1,
    }
    assert values(found, expected) == expected
    assert found.sampling.model_dump() == {
        "temperature": 1.0,
        "top_p": 0.95,
        "max_new_tokens": 2048,
        "tool": None,
    }


def test_the_algorithms_are_all_compared(paper):
    theory = {"rloo-kl.1", "rloo-kl.3", "rloo-kl1"}
    assert set(paper.algorithms) == theory | {
        *("ppo", "ppo-kl0", "ppo-kl.01", "grpo", "grpo-kl0", "grpo-kl.01", "reinforce", "ei", "ei-2", "ei-online")
    }
    for name in theory:
        assert predictions.law(paper.algorithms[name]).reasons == (), name
    assert (paper.prompts["gsm8k"].questions, paper.prompts["gsm8k"].count) == ("gsm8k", None)
    assert {(asked.suffix, asked.bos) for asked in paper.prompts.values()} == {("", "auto")}


def test_the_full_grid_has_every_configuration_of_the_authors_sweep_files():
    """196, by their files: 10 mixtures x 3 algorithms x 3 KL at 150M, 5 x 3 x 3 on two prompts at 1B, Expert
    Iteration from 11 and 5 mixtures; and two sizes between, for C8."""
    full = load(FILE.with_name("paper-full.yaml"))
    kinds = Counter((r.model.scale, full.file.algorithms[r.algorithm].kind, r.prompts) for r in full.runs.values())
    gradients = ("ppo", "grpo", "reinforce_baseline")
    expected = {("150m", kind, "gsm8k"): 30 for kind in gradients}
    expected |= {("1b", kind, prompts): 15 for kind in gradients for prompts in ("gsm8k", "math")}
    expected |= {("150m", "expert_iteration", "gsm8k"): 11, ("1b", "expert_iteration", "gsm8k"): 5}
    assert sum(expected.values()) == 196
    assert kinds == expected | {(scale, "ppo", "gsm8k"): 1 for scale in ("300m", "500m")}
    coefficients = {(s.kind, s.kl.coefficient) for s in full.file.algorithms.values() if s.kind in gradients}
    assert coefficients == {(kind, c) for kind in gradients for c in (0.0, 1e-3, 1e-2)}


def test_the_full_grid_differs_from_the_main_texts_in_what_is_run_alone(paper):
    full = load(FILE.with_name("paper-full.yaml")).file
    for key in (
        "tokenizer",
        "corpora",
        "background",
        "question_sets",
        "mixtures",
        "pretraining",
        "prompts",
        "benchmarks",
    ):
        assert getattr(full, key) == getattr(paper, key), key
    for key in ("algorithms", "scales"):
        ours, theirs = getattr(full, key), getattr(paper, key)
        assert {name: ours[name] for name in set(ours) & set(theirs)}.items() <= theirs.items()
    sizes = {name: (s.width, s.layers, s.heads, s.intermediate, s.tied) for name, s in full.scales.items()}
    assert sizes["300m"] == (1024, 14, 16, 8 * 1024 // 2, False)  # mlp_ratio 8, half of it the gate
    assert sizes["500m"] == (1536, 12, 12, 8 * 1536 // 2, False)


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
    assert (paper.benchmarks["gsm8k"].checkpoints, paper.benchmarks["gsm8k"].samples_between) == ("all", None)


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


def test_the_released_models_have_the_papers_studies(paper):
    """The same algorithms, prompts and benchmarks; imported models for mixtures and scales, by the paper's names."""
    released = load(FILE.with_name("released.yaml")).file
    for key in ("background", "question_sets", "mixtures", "scales", "algorithms", "prompts", "benchmarks"):
        assert getattr(released, key) == getattr(paper, key), key
    assert released.base_samples == paper.base_samples
    for name, study in paper.studies.items():
        if name == "base-models":
            continue
        theirs = released.studies[name]
        models = [released.models[model] for model in theirs.models]
        assert {(m.mixture, m.scale) for m in models} == {(m, s) for m in study.mixtures for s in study.scales}, name
        assert (theirs.algorithms, theirs.prompts, theirs.claims) == (study.algorithms, study.prompts, study.claims)
        assert len(theirs.run_seeds) == (6 if {"C4", "C9"} & set(study.claims) else 3)
    stems = {"150m": "rosieyzh/OLMo-150M-", "1b": "rosieyzh/OLMo-1B-"}
    for name, model in released.models.items():
        assert name == f"{model.mixture}.{model.scale}"
        said = model.mixture.replace("+", "_")
        assert model.path == stems[model.scale] + ("4xtg" if said == "4xtg-alone" else f"as_fm3_{said}")


def test_the_overlay_adds_the_same_released_models(paper):
    released = load(FILE.with_name("released.yaml")).file
    config = read(FILE) | {"models": read(FILE.parent / "overlays/own-and-released.yaml")["models"]}
    config["studies"] |= read(FILE.parent / "overlays/own-and-released.yaml")["studies"]
    both = parse(config, "both").file
    assert both.models == released.models
    assert {both.models[name].mixture for name in both.studies["bases-150m"].models} == set(
        both.studies["bases-150m"].mixtures
    )
