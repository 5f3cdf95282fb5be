"""Folders of models that somebody else made: their code does not run, and weights that are no numbers are refused."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel

from echochamber.data.tokenizer import load_tokenizer, train_bpe
from echochamber.errors import UserError
from echochamber.models import architecture


def test_code_in_the_folder_of_a_model_does_not_run(tmp_path):
    ran = tmp_path / "ran"
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "evil.py").write_text(
        f"open({str(ran)!r}, 'w')\nclass Config: pass\nclass Model: pass\nclass Tokens: pass\n"
    )
    classes = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}
    (folder / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": classes}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"auto_map": {"AutoTokenizer": ["evil.Tokens", None]}}))
    with pytest.raises(UserError) as error:
        architecture.load(folder, torch.device("cpu"))
    assert len(str(error.value).splitlines()) == 1
    with pytest.raises(ValueError, match="trust_remote_code"):
        load_tokenizer(folder)
    assert not ran.exists()


@pytest.fixture
def small(tmp_path):
    """The folder of a whole model."""
    model = GPT2LMHeadModel(GPT2Config(vocab_size=300, n_positions=8, n_embd=8, n_layer=1, n_head=1))
    model.save_pretrained(tmp_path / "model")
    train_bpe(["one two three"], 300).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def cut(path, kept):
    path.write_bytes(path.read_bytes()[:kept])


DAMAGE = {
    "half the weights": (lambda folder: cut(folder / "model.safetensors", 5000), "model.safetensors: no model there"),
    "one byte less": (lambda folder: cut(folder / "model.safetensors", -1), "model.safetensors: no model there"),
    "no bytes": (lambda folder: cut(folder / "model.safetensors", 0), "model.safetensors: no model there"),
    "a header of 2^60 bytes": (
        lambda folder: (folder / "model.safetensors").write_bytes((2**60).to_bytes(8, "little") + b"x" * 20),
        "header too large",
    ),
    "a nested configuration": (lambda folder: (folder / "config.json").write_text("[" * 200_000), "no model there"),
    "a nested tokenizer": (lambda folder: (folder / "tokenizer.json").write_text("[" * 200_000), "no model there"),
    "a tokenizer that is a list": (lambda folder: (folder / "tokenizer.json").write_text("[]"), "no model there"),
    "other sizes": (
        lambda folder: (folder / "config.json").write_text(
            (folder / "config.json").read_text().replace('"n_embd": 8', '"n_embd": 16')
        ),
        "no model there",
    ),
    "weights that are missing": (
        lambda folder: save_file(
            {k: v for k, v in load_file(folder / "model.safetensors").items() if "ln_f" not in k},
            folder / "model.safetensors",
            metadata={"format": "pt"},
        ),
        "found no weights transformer.ln_f.bias (2 are missing), allowed: all that its config.json asks for",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_model_is_one_line(small, damage):
    architecture.load(small, torch.device("cpu"))
    change, said = DAMAGE[damage]
    change(small)
    with pytest.raises(UserError) as error:
        architecture.load(small, torch.device("cpu"))
    assert said in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(tmp_path, value):
    tokenizer = train_bpe(["one two three"], 300)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=300, n_positions=8, n_embd=8, n_layer=1, n_head=1))
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    architecture.load(tmp_path, torch.device("cpu"))
    with torch.no_grad():
        model.transformer.ln_f.weight[3] = value
    model.save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"ln_f\.weight, allowed: finite"):
        architecture.load(tmp_path, torch.device("cpu"))
