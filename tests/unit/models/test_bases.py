"""Checkpoints of other people from import through RL to a folder that anybody loads: the same answers everywhere."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import bases
import pytest
import torch
from rl_toys import verify_letters
from transformers import AutoModelForCausalLM, AutoTokenizer

import echochamber
from echochamber.algorithms import algorithm
from echochamber.corpora.documents import Question
from echochamber.errors import UserError
from echochamber.evaluation.evaluate import evaluate
from echochamber.models import architecture
from echochamber.models.checkpoint import TrainingState
from echochamber.models.generation_defaults import end_tokens
from echochamber.rl import policy_gradient, rollout
from echochamber.sampling.prompts import encode_questions
from echochamber.settings import Benchmark, ImportedModel, PromptForm

CPU = torch.device("cpu")
QUESTIONS = [Question(f"q{i}", f"What is {i} + {i}, Ann?", str(2 * i), None) for i in range(6)]
CHAT = PromptForm(chat={})
NEW_TOKENS = 20


def answers(folder):
    """Greedy completions of a folder, as an evaluation has them."""
    model, tokenizer = architecture.load(folder, CPU)
    asked = Benchmark(questions="sums", samples=1, max_new_tokens=NEW_TOKENS, chat={})
    return evaluate(asked, model, tokenizer, QUESTIONS, seed="a", modes=["greedy"])["completion"].tolist()


def answers_of_transformers(folder, dtype="auto", **more):
    """Greedy completions of `generate`, as somebody has them who knows nothing of this project but its prompts."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
    ends = end_tokens(tokenizer, model.generation_config)
    texts = []
    for prompt in encode_questions(tokenizer, QUESTIONS, CHAT):
        ids = torch.tensor([prompt])
        drawn = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=NEW_TOKENS, do_sample=False, **more
        )
        written = drawn[0, len(prompt) :].tolist()
        texts.append(tokenizer.decode(written[:-1] if written[-1] in ends else written))
    return texts


def improved(folder, out, monkeypatch):
    """The kept checkpoint of one RL step from `folder`."""
    monkeypatch.setattr(rollout, "verify_batch", verify_letters)
    model, tokenizer = architecture.load(folder, CPU)
    settings = algorithm(
        kind="grpo",
        passes=1,
        prompts_per_batch=6,
        samples_per_prompt=4,
        sampling={"temperature": 1.0, "max_new_tokens": 8},
        update_batch=24,
        micro_batch=8,
        learning_rate=1e-2,
        precision="fp32",
        reward="random",
        kl={"place": "loss", "estimator": "k3", "coefficient": 0.1},
        log_spaced_checkpoints=0,
    )
    state = TrainingState(out, {})
    run = {"seed": 0, "state": state, "stop": lambda: False, "device": CPU, "form": CHAT}
    metrics, _ = policy_gradient.train(settings, model, tokenizer, QUESTIONS, **run)
    assert metrics[0]["gradient_norm"] > 0
    assert metrics[0]["kl"] == pytest.approx(0, abs=1e-3)  # sampler and trainer agree before the first update
    return out / "checkpoints/step_00000001"


@pytest.mark.parametrize("name", bases.BASES)
def test_import_rl_and_evaluation_agree_with_transformers(name, tmp_path, monkeypatch):
    """Of the imported folder, without a penalty on repetitions, and of the kept one as it is."""
    folder = bases.save(tmp_path / "base", name)
    before = answers(folder)
    assert len({*before}) > 1
    assert before == answers_of_transformers(folder, torch.float32, repetition_penalty=1.0)
    kept = improved(folder, tmp_path / "state", monkeypatch)
    after = answers(kept)
    assert after != before
    assert after == answers_of_transformers(kept)
    assert AutoModelForCausalLM.from_pretrained(kept).dtype == torch.float32


def test_bases_are_what_they_are_called(tmp_path):
    for name, base in bases.BASES.items():
        folder = bases.save(tmp_path / name, name)
        assert (len(list(folder.glob("*.safetensors"))) > 1) == base.sharded
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        assert config["tie_word_embeddings"] == base.tied
        assert config["dtype"] == ("bfloat16" if base.bf16 else "float32")
        assert (folder / "generation_config.json").exists() == bool(base.ends)


def test_of_generation_config_the_tokens_alone_are_kept(tmp_path, monkeypatch, caplog):
    """A penalty on repetitions would change what RL learns from, and bad combinations cannot even be saved."""
    folder = bases.save(tmp_path / "base", "llama", repetition_penalty=3.0, no_repeat_ngram_size=2)
    penalised = answers_of_transformers(folder, torch.float32)
    with caplog.at_level("INFO"):
        before = answers(folder)
    assert "left out do_sample True, no_repeat_ngram_size 2, repetition_penalty 3.0, temperature 0.6" in caplog.text
    assert before != penalised
    kept = improved(folder, tmp_path / "state", monkeypatch)
    says = json.loads((kept / "generation_config.json").read_text(encoding="utf-8"))
    assert {*says} - {"transformers_version"} == {"eos_token_id", "pad_token_id"}
    assert len(says["eos_token_id"]) == 2


def test_a_generation_config_that_contradicts_itself_is_kept_no_longer(tmp_path, monkeypatch):
    """Llama-2's: a temperature without do_sample, which transformers reads and refuses to write."""
    folder = bases.save(tmp_path / "base", "llama-tied-sharded")
    file = folder / "generation_config.json"
    says = json.loads(file.read_text(encoding="utf-8")) | {"temperature": 0.9, "top_p": 0.6}
    file.write_text(json.dumps(says), encoding="utf-8")
    kept = improved(folder, tmp_path / "state", monkeypatch)
    assert answers(kept) == answers_of_transformers(kept)


def test_tokens_that_the_model_does_not_know_are_one_line(tmp_path):
    """Added to the tokenizer, and no row of the embeddings is theirs."""
    folder = bases.save(tmp_path / "base", "llama")
    tokenizer = bases.tokenizer("left")
    tokenizer.add_special_tokens({"additional_special_tokens": [*bases.MARKS, "<|turn|>"]})
    tokenizer.chat_template = "<|turn|>" + tokenizer.chat_template
    tokenizer.save_pretrained(folder)
    with pytest.raises(UserError, match=r"found token 287, allowed: up to 286, .*embeddings") as error:
        answers(folder)
    assert len(str(error.value).splitlines()) == 1


def test_code_of_a_models_folder_cannot_be_turned_on():
    with pytest.raises(ValueError, match="trust_remote_code"):
        ImportedModel.model_validate({"import": "a/b", "trust_remote_code": True})
    loads = 0
    for file in sorted(Path(echochamber.__file__).parent.rglob("*.py")):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            trusting = [word.value for word in call.keywords if word.arg == "trust_remote_code"]
            assert all(isinstance(value, ast.Constant) and value.value is False for value in trusting), file
            loads_code = ast.unparse(call.func).startswith("Auto") and "from_" in ast.unparse(call.func)
            assert trusting or not loads_code, (file, call.lineno)
            loads += loads_code
    assert loads > 3
