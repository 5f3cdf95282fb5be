"""The architecture against a forward pass written out by hand, parameter and FLOP counts against the paper's."""

import math

import huggingface_hub
import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, Qwen2Config

from echochamber.data.tokenizer import train_bpe
from echochamber.errors import UserError
from echochamber.models import architecture as models
from echochamber.models import weights
from echochamber.settings import Scale

PAPER = {
    "150m": (Scale(width=768, layers=12, heads=12, intermediate=3072), 162_398_208),
    "1b": (Scale(width=2048, layers=16, heads=16, intermediate=8192, tied=True), 1_139_277_824),
}


@pytest.mark.parametrize("name", PAPER)
def test_parameter_counts_are_the_papers(name):
    scale, parameters = PAPER[name]
    with torch.device("meta"):
        model = models.OlmoForCausalLM(models.config(scale, vocabulary=32_000, context=2048, eos=2, pad=1))
    assert models.parameters(model) == parameters


def test_decoding_bytes_by_hand():
    """150M, bf16: twelve layers of 4 x 768^2 + 3 x 768 x 3072 and an output matrix of 32,000 x 768 are 137,822,208
    numbers; each token of a row has 2 x 12 x 768 numbers of keys and values, 36,864 bytes."""
    scale, _ = PAPER["150m"]
    with torch.device("meta"):
        model = models.OlmoForCausalLM(models.config(scale, vocabulary=32_000, context=2048, eos=2, pad=1))
    read = models.decoding_bytes_per_step(model, rows=512, tokens=300, bytes_per_number=2)
    assert read == 2 * 137_822_208 + 512 * 300 * 36_864
    assert models.share_of_decoding_limit(50.0, 10, 2e9, 2e10) == pytest.approx(0.5)  # 10 steps a second, 5 made


def test_training_flops_by_hand():
    """150M, one token at 2048: 6 (162,398,208 - 32,000 * 768) + 12 * 12 * 768 * 2048."""
    scale, parameters = PAPER["150m"]
    with torch.device("meta"):
        model = models.OlmoForCausalLM(models.config(scale, vocabulary=32_000, context=2048, eos=2, pad=1))
    expected = 6 * (parameters - 24_576_000) + 12 * 12 * 768 * 2048
    assert models.training_flops_per_token(model, 2048) == expected
    # The reference: 56 billion tokens are 41 H100-hours at 40 % of 989 TFLOP/s.
    assert expected * 56e9 / (0.4 * 989e12) / 3600 == pytest.approx(41, abs=1)


def layer_norm(x):
    return (x - x.mean(-1, keepdim=True)) / torch.sqrt(x.var(-1, keepdim=True, unbiased=False) + 1e-5)


def rotate(x, theta=10_000.0):
    """(tokens, heads, size): pairs (i, i + size / 2) turned by position * theta^(-2 i / size)."""
    tokens, _, size = x.shape
    angles = torch.arange(tokens)[:, None] * theta ** (-torch.arange(0, size, 2) / size)
    cos, sin = angles.cos()[:, None], angles.sin()[:, None]
    one, two = x[..., : size // 2], x[..., size // 2 :]
    return torch.cat([one * cos - two * sin, two * cos + one * sin], -1)


def written_out(weights, ids, layers, heads, tied):
    x = weights["model.embed_tokens.weight"][ids]
    tokens, width = x.shape
    size = width // heads
    for layer in range(layers):

        def w(name, layer=layer):
            return weights[f"model.layers.{layer}.{name}.weight"]

        h = layer_norm(x)
        q, k, v = ((h @ w(f"self_attn.{n}_proj").T).view(tokens, heads, size) for n in "qkv")
        q, k = rotate(q), rotate(k)
        scores = torch.einsum("qhd,khd->hqk", q, k) / math.sqrt(size)
        scores = scores.masked_fill(~torch.ones(tokens, tokens, dtype=torch.bool).tril(), -math.inf)
        mixed = torch.einsum("hqk,khd->qhd", scores.softmax(-1), v).reshape(tokens, width)
        x = x + mixed @ w("self_attn.o_proj").T
        h = layer_norm(x)
        gate = h @ w("mlp.gate_proj").T
        x = x + (gate * torch.sigmoid(gate) * (h @ w("mlp.up_proj").T)) @ w("mlp.down_proj").T
    head = weights["model.embed_tokens.weight" if tied else "lm_head.weight"]
    return layer_norm(x) @ head.T


@pytest.mark.parametrize("tied", [False, True])
def test_forward_equals_the_architecture_written_out(tied):
    scale = Scale(width=24, layers=3, heads=4, intermediate=40, tied=tied)
    model = models.build(scale, vocabulary=50, context=32, eos=2, pad=1, seed=1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(8)  # away from where everything is nearly linear
        ids = torch.randint(3, 50, (17,), generator=torch.Generator().manual_seed(0))
        found = model(input_ids=ids[None]).logits[0]
        expected = written_out(model.state_dict(), ids, 3, 4, tied)
    assert torch.allclose(found, expected, atol=1e-4)


def test_initialisation_is_cut_normal_and_seeded():
    scale = Scale(width=64, layers=2, heads=4, intermediate=128)
    one, same, other = (
        torch.cat(
            [w.flatten() for w in models.build(scale, vocabulary=400, context=8, eos=2, pad=1, seed=s).parameters()]
        )
        for s in (0, 0, 1)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert one.abs().max() <= 0.06
    # Cut at three deviations, the deviation of a normal shrinks to 0.9866 of itself.
    assert one.std().item() == pytest.approx(0.02 * 0.9866, rel=0.01)
    assert one.mean().item() == pytest.approx(0, abs=1e-4)


def test_checkpoints_are_found_by_step(tmp_path):
    for step in (5, 10, 300):
        (tmp_path / f"step_{step:08d}").mkdir()

    def kept(*steps: int | str) -> weights.Checkpoints:
        return weights.Checkpoints(checkpoints=str(tmp_path), steps=steps or None)

    assert [step for step, _ in weights.checkpoints(kept())] == [5, 10, 300]
    assert [step for step, _ in weights.checkpoints(kept(10, "last"))] == [10, 300]
    assert weights.folder(kept("last")).name == "step_00000300"
    with pytest.raises(UserError, match=r"found steps \[5, 10, 300\], wanted \[7\]"):
        weights.folder(kept(7))


def test_an_imported_model_is_a_folder_or_a_download(tmp_path):
    place = weights.ImportedWeights(model="someone/model", data=str(tmp_path / "data"))
    (tmp_path / "data/someone/model").mkdir(parents=True)
    assert weights.folder(place) == tmp_path / "data/someone/model"
    assert weights.checkpoints(place) == [(0, tmp_path / "data/someone/model")]
    assert weights.folder(weights.ImportedWeights(model=str(tmp_path))) == tmp_path


def test_an_imported_model_that_is_nowhere_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"no folder someone/model or .*`snakemake download` fetches it") as caught:
        weights.folder(weights.ImportedWeights(model="someone/model", data=str(tmp_path)))
    assert "\n" not in str(caught.value)


ARCHITECTURES = {
    "gpt2": lambda v: GPT2Config(vocab_size=v, n_embd=16, n_layer=1, n_head=2, n_positions=64),
    "qwen2": lambda v: Qwen2Config(
        vocab_size=v,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
    ),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_any_architecture_is_loaded_with_its_own_tokenizer(tmp_path, name):
    tokenizer = train_bpe(["1 + 1 = 2"], 300)
    tokenizer.pad_token = None
    saved = AutoModelForCausalLM.from_config(ARCHITECTURES[name](len(tokenizer)))
    saved.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    place = weights.ImportedWeights(model=str(tmp_path))
    model, loaded = models.load(weights.folder(place), torch.device("cpu"))
    assert model.config.model_type == name
    assert loaded.get_vocab() == tokenizer.get_vocab()
    assert loaded.pad_token_id == loaded.eos_token_id == 2
    ids = torch.tensor([[5, 6, 7]])
    assert torch.equal(model(input_ids=ids).logits, saved.eval()(input_ids=ids).logits)


def test_a_folder_without_a_model_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"no model there .*allowed: a Hugging Face folder") as caught:
        models.load(tmp_path, torch.device("cpu"))
    assert "\n" not in str(caught.value)
