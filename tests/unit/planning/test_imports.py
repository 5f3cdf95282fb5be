"""The size of a model that is not here, from its config.json alone."""

import json

import pytest
import torch
from rl_toys import tiny_model
from transformers import AutoConfig, AutoModelForCausalLM

from echochamber.models import architecture
from echochamber.planning import flops, imports
from echochamber.settings import ImportedModel, Scale

PAPERS = {
    162_398_208: Scale(width=768, layers=12, heads=12, intermediate=3072),
    1_139_277_824: Scale(width=2048, layers=16, heads=16, intermediate=8192, tied=True),
}


@pytest.mark.parametrize("expected", PAPERS)
def test_the_papers_models_by_their_config(expected, tmp_path):
    """Their layer norms have no weights and they have no biases, so that the count is exact."""
    with torch.device("meta"):
        model = architecture.build(PAPERS[expected], vocabulary=32_000, context=2048, eos=2, pad=1, seed=0)
    model.config.save_pretrained(tmp_path)
    shape = flops.of_folder(tmp_path)
    assert shape == flops.olmo(PAPERS[expected], 32_000)
    assert shape.parameters == expected


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        ("llama", {"hidden_size": 256, "num_key_value_heads": 2, "num_attention_heads": 8, "intermediate_size": 700}),
        ("gpt_neox", {"hidden_size": 256, "num_attention_heads": 8, "intermediate_size": 1024}),
        ("gpt2", {"n_embd": 256, "n_head": 8}),
        ("qwen2", {"hidden_size": 256, "num_key_value_heads": 2, "num_attention_heads": 8, "intermediate_size": 700}),
    ],
)
def test_other_models_by_their_config(kind, sizes, tmp_path):
    """Against all weights that transformers makes, biases, norms and positions too: within two percent."""
    config = AutoConfig.for_model(kind, vocab_size=5000, **sizes)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    positions = 1024 * 256 if kind == "gpt2" else 0
    config.save_pretrained(tmp_path)
    shape = flops.of_folder(tmp_path)
    assert shape.parameters == pytest.approx(sum(w.numel() for w in model.parameters()) - positions, rel=0.02)


def test_a_model_is_looked_for_here_then_in_the_downloads_then_on_the_hub(tmp_path, monkeypatch):
    settings = ImportedModel(**{"import": "someone/model"})
    asked = []

    def hub(repository, name, revision):
        asked.append((repository, name, revision))
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", hub)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_, **__: None)
    data = tmp_path / "data"
    assert imports.shape(settings, str(data)) is None
    assert asked == []
    assert imports.shape(settings, str(data), ask=True) is None
    assert asked == [("someone/model", "config.json", "main")]
    tiny_model("llama").config.save_pretrained(tmp_path / "cached")
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *_, **__: str(tmp_path / "cached/config.json"))
    of_hub = imports.shape(settings, str(data), ask=True)
    assert (of_hub.layers, of_hub.width, of_hub.kv_width) == (2, 16, 8)
    (data / "someone/model").mkdir(parents=True)
    config = json.loads((tmp_path / "cached/config.json").read_text()) | {"num_hidden_layers": 5}
    (data / "someone/model/config.json").write_text(json.dumps(config))
    assert imports.shape(settings, str(data)).layers == 5
