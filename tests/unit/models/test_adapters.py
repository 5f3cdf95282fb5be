"""Low-rank adapters: what is trained, what is kept, and that sampler, trainer and anybody's copy see the same model."""

from __future__ import annotations

import copy
import sys

import bases
import pytest
import torch
from pydantic import ValidationError
from rl_toys import MemoryState, verify_letters
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel

from echochamber.algorithms import algorithm
from echochamber.algorithms.lora import LoRA
from echochamber.corpora.documents import Question
from echochamber.errors import UserError
from echochamber.models import adapters, architecture
from echochamber.models.checkpoint import TrainingState
from echochamber.rl import expert_iteration, policy_gradient, rollout
from echochamber.rl.step import Trainer
from echochamber.sampling.generate import generate
from echochamber.sampling.prompts import encode_questions, end_and_padding
from echochamber.settings import Sampling

CPU = torch.device("cpu")
QUESTIONS = [Question(f"q{i}", f"What is {i} + {i}, Ann?", str(2 * i), None) for i in range(6)]
COMMON = {"samples_per_prompt": 4, "sampling": {"temperature": 1.0, "max_new_tokens": 8}, "micro_batch": 8}
COMMON |= {"learning_rate": 3e-2, "precision": "fp32", "reward": "random"}
GRPO = {"kind": "grpo", "passes": 2, "prompts_per_batch": 6, "update_batch": 24, "log_spaced_checkpoints": 0} | COMMON
LORA = {"rank": 2, "alpha": 8.0}


@pytest.fixture(autouse=True)
def judge(monkeypatch):
    pytest.importorskip("peft", reason="needs the extra lora: peft is not installed")
    monkeypatch.setattr(rollout, "verify_batch", verify_letters)


def run(folder, state, train=policy_gradient.train, **settings):
    model, tokenizer = architecture.load(folder, CPU)
    how = {"seed": 0, "state": state, "stop": lambda: False, "device": CPU}
    return train(algorithm(**settings), model, tokenizer, QUESTIONS, **how)[0], model


def greedy(model, tokenizer):
    """Of our own sampler."""
    eos, pad = end_and_padding(tokenizer, model.generation_config)
    prompts, sampling = encode_questions(tokenizer, QUESTIONS), Sampling(temperature=1.0, max_new_tokens=16)
    how = {"samples": 1, "sampling": sampling, "greedy": True, "eos": eos, "pad": pad}
    return generate(model, prompts, generator=torch.Generator(), **how).completions


@pytest.mark.parametrize("base", ["olmo", "llama", "qwen2", "gpt_neox", "gemma"])
def test_kept_checkpoints_are_merged_and_load_plainly(base, tmp_path):
    folder = bases.save(tmp_path / "base", base)
    metrics, model = run(folder, TrainingState(tmp_path / "state", {}), lora=LORA, **GRPO)
    assert metrics[0]["kl"] == pytest.approx(0, abs=1e-3)
    assert metrics[1]["kl"] > 1e-2
    kept = tmp_path / "state/checkpoints/step_00000002"
    plain = AutoModelForCausalLM.from_pretrained(kept)
    tokenizer = AutoTokenizer.from_pretrained(kept)
    assert greedy(model, tokenizer) == greedy(plain, tokenizer)
    before = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).state_dict()
    after = plain.state_dict()
    assert before.keys() == after.keys()
    assert not any("lora" in name for name in load_file(kept / "model.safetensors"))
    ranks = {n: int(torch.linalg.matrix_rank(after[n] - before[n], rtol=1e-3)) for n in before if before[n].ndim == 2}
    moved = {name for name, rank in ranks.items() if rank}
    assert {ranks[name] for name in moved} <= {1, 2}
    assert len(moved) == len(before.keys() & {f"{layer}.weight" for layer in linear_layers(plain)})
    assert all(torch.equal(before[name], after[name]) for name in before if name not in moved)


def linear_layers(model):
    head = model.get_output_embeddings()
    return [name for name, m in model.named_modules() if isinstance(m, torch.nn.Linear) and m is not head]


def test_sampler_and_trainer_see_the_adapters(tmp_path):
    """OLMo's own decoder copies weights and would miss them."""
    _, model = run(bases.save(tmp_path / "base", "olmo"), MemoryStateOf(), lora=LORA, **GRPO)
    tokenizer = bases.tokenizer("left")
    (prompt, *_), (ours, *_) = encode_questions(tokenizer, QUESTIONS), greedy(model, tokenizer)
    theirs = model.generate(torch.tensor([prompt]), max_new_tokens=16, do_sample=False)[0, len(prompt) :]
    assert ours == theirs.tolist()


class MemoryStateOf(MemoryState):
    def keep(self, step, model, tokenizer):
        assert adapters.adapted(model)


def test_expert_iteration_trains_adapters_too(tmp_path):
    folder = bases.save(tmp_path / "base", "llama")
    settings = {"kind": "expert_iteration", "iterations": 2, "batch": 8}
    settings |= {"lora": LORA | {"targets": ["q_proj", "v_proj"]}}
    _, model = run(folder, TrainingState(tmp_path / "state", {}), expert_iteration.train, **settings, **COMMON)
    kept = tmp_path / "state/checkpoints/step_00000002"
    tokenizer = AutoTokenizer.from_pretrained(kept)
    assert greedy(model, tokenizer) == greedy(AutoModelForCausalLM.from_pretrained(kept), tokenizer)
    before, after = load_file(folder / "model.safetensors"), load_file(kept / "model.safetensors")
    moved = {name.split(".")[-2] for name in before if not torch.equal(before[name].float(), after[name])}
    assert moved == {"q_proj", "v_proj"}


def test_a_trainer_goes_on_from_its_state(tmp_path):
    folder, settings = bases.save(tmp_path / "base", "llama"), algorithm(lora=LORA, **GRPO)
    trainers = []
    for _ in range(2):
        model, tokenizer = architecture.load(folder, CPU)
        trainers.append(Trainer(settings, model, tokenizer, len(QUESTIONS), 0, CPU))
    first, second = trainers
    prompts = encode_questions(tokenizer, QUESTIONS)
    first.step(1, prompts, QUESTIONS)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    rows = [trainer.step(2, prompts, QUESTIONS)[0] for trainer in trainers]
    assert rows[0] == rows[1]
    one, other = (trainer.policy.model.state_dict() for trainer in trainers)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_what_cannot_be_is_one_line(tmp_path, monkeypatch):
    folder = bases.save(tmp_path / "base", "llama")
    with pytest.raises(
        UserError, match=r"lora\.targets: found 'query', allowed: all-linear, down_proj, gate_proj, k_p"
    ):
        run(folder, MemoryState(), lora=LORA | {"targets": ["query"]}, **GRPO)
    with pytest.raises(ValidationError, match="lora: found it with ppo, allowed: with algorithms without a critic"):
        algorithm(kind="ppo", lora=LORA)
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(UserError, match=r"peft is not installed, allowed: pip install 'echochamber\[lora\]'"):
        run(folder, MemoryState(), lora=LORA, **GRPO)


def test_a_model_without_linear_layers_is_one_line():
    model = GPT2LMHeadModel(GPT2Config(n_embd=8, n_layer=1, n_head=1, vocab_size=8, bos_token_id=1, eos_token_id=2))
    with pytest.raises(UserError, match="lora: found a base model of type gpt2, which has no linear layers, allowed: "):
        adapters.add(model, LoRA(), 0)
