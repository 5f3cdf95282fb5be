"""The contract with vLLM, against a stub of the parts of its API that are used: vLLM itself is not run here."""

import sys
import types
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from rl_toys import tiny_model

from echochamber.errors import UserError
from echochamber.evaluation import vllm_engine
from echochamber.models.forward import LanguageModel
from echochamber.sampling.draw import random_stream
from echochamber.sampling.generate import generate
from echochamber.settings import Sampling

EOS, PAD = 2, 1
PROMPTS = [[5, 6, 7], [8, 9]]
SAMPLING = Sampling(temperature=0.7, top_p=0.9, max_new_tokens=5)


@dataclass
class SamplingParams:
    """vLLM's, with the arguments that are used; any other is a TypeError."""

    n: int = 1
    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 16
    seed: int | None = None
    ignore_eos: bool = False
    stop_token_ids: list[int] = field(default_factory=list)
    detokenize: bool = True


@dataclass
class Output:
    index: int
    token_ids: tuple[int, ...]
    finish_reason: str
    stop_reason: int | None = None


@dataclass
class Answer:
    outputs: list[Output]


class LLM:
    """Draws numbers of a prompt's seed; the last completion of each prompt is cut off. Outputs come in any order."""

    keeps_the_stop_token = True

    def __init__(
        self, *, model, dtype, max_model_len, gpu_memory_utilization, generation_config, seed
    ):  # a name that vLLM does not have would be a TypeError here
        self.settings = {"model": model, "dtype": dtype, "max_model_len": max_model_len}
        assert generation_config == "vllm"
        assert 0 < gpu_memory_utilization < 1
        LLM.made = self

    def generate(self, prompts, sampling_params, use_tqdm=True):
        assert all(set(prompt) == {"prompt_token_ids"} for prompt in prompts)
        self.asked = sampling_params
        return [self.answer(parameters) for parameters in sampling_params]

    def answer(self, parameters):
        assert parameters.ignore_eos
        assert parameters.stop_token_ids == [EOS]
        draws = np.random.default_rng(parameters.seed).integers(3, 20, (parameters.n, parameters.max_tokens)).tolist()
        stop = [EOS] if self.keeps_the_stop_token else []
        outputs = [Output(i, (*ids[:2], *stop), "stop", EOS) for i, ids in enumerate(draws[:-1])]
        return Answer([*reversed(outputs), Output(parameters.n - 1, tuple(draws[-1]), "length")])


@pytest.fixture(params=[True, False], ids=["keeps the stop token", "drops it"])
def vllm(request, monkeypatch):
    monkeypatch.setattr(LLM, "keeps_the_stop_token", request.param)
    monkeypatch.setitem(sys.modules, "vllm", types.SimpleNamespace(LLM=LLM, SamplingParams=SamplingParams))


def complete(samples=3, greedy=False, seed="a"):
    engine = vllm_engine.Engine("folder", "bf16", 20)
    return engine.complete(PROMPTS, samples=samples, sampling=SAMPLING, greedy=greedy, eos=(EOS,), seed=seed)


def test_completions_stand_side_by_side_with_their_end_token(vllm):
    drawn = complete()
    assert [len(ids) for ids in drawn] == [3, 3, 5, 3, 3, 5]
    assert [ids[-1] == EOS for ids in drawn] == [True, True, False] * 2
    assert LLM.made.settings == {"model": "folder", "dtype": "bfloat16", "max_model_len": 20}
    assert {(p.temperature, p.top_p, p.max_tokens, p.n) for p in LLM.made.asked} == {(0.7, 0.9, 5, 3)}


def test_equal_seeds_draw_equal_completions_and_each_prompt_has_its_own(vllm):
    assert complete() == complete()
    assert complete() != complete(seed="b")
    assert LLM.made.asked[0].seed != LLM.made.asked[1].seed


def test_greedy_is_temperature_zero(vllm):
    complete(samples=1, greedy=True)
    assert {(p.temperature, p.top_p) for p in LLM.made.asked} == {(0.0, 1.0)}


def test_log_probabilities_are_our_models(vllm):
    """The same completions have the same numbers as where they were drawn here."""
    torch.manual_seed(0)
    model = tiny_model(vocabulary=24)
    options = {"samples": 2, "sampling": SAMPLING, "eos": (EOS,), "pad": PAD, "generator": random_stream(0, "x")}
    own = generate(LanguageModel(model), PROMPTS, **options)
    theirs = vllm_engine.as_completions(
        model, PROMPTS, own.completions, eos=(EOS,), pad=PAD, temperature=SAMPLING.temperature
    )
    assert theirs.finished == own.finished
    for ours, recomputed in zip(own.logprobs, theirs.logprobs, strict=True):
        np.testing.assert_allclose(recomputed, ours, atol=1e-5)


def test_without_vllm_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(UserError, match=r"engine: found vllm, which is not installed, allowed: own, or pip install"):
        complete()
