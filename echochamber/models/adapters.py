"""Low-rank adapters on a loaded model, and the plain weights of such a model. `peft` is an extra.

The model keeps its class: `peft` puts its layers in the place of linear ones. They are merged into the weights of every
checkpoint that is kept, which therefore loads without `peft`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from echochamber.algorithms.lora import LoRA
from echochamber.errors import UserError


def adapted(model: nn.Module) -> bool:
    """Whether some layers have adapters, so that their `weight` is not all of what they multiply with."""
    return any(hasattr(module, "base_layer") for module in model.modules())


def add(model: PreTrainedModel, settings: LoRA | None, seed: int) -> None:
    """Freeze the model and give it fresh adapters, which change nothing yet (B is zero); without settings do nothing.

    Raises:
        UserError: `peft` is not installed, or the model has no such layers.
    """
    if settings is None:
        return
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError:
        raise UserError(
            "lora: found settings for it, and peft is not installed, allowed: pip install 'echochamber[lora]'"
        ) from None
    head = model.get_output_embeddings()
    layers = {
        name.rpartition(".")[2] for name, m in model.named_modules() if isinstance(m, nn.Linear) and m is not head
    }
    if not layers:
        kind = model.config.model_type
        raise UserError(f"lora: found a base model of type {kind}, which has no linear layers, allowed: one that has")
    wanted = layers if settings.targets == "all-linear" else set(settings.targets)
    if unknown := sorted(wanted - layers):
        raise UserError(f"lora.targets: found {unknown[0]!r}, allowed: all-linear, {', '.join(sorted(layers))}")
    config = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, target_modules=sorted(wanted), lora_dropout=0.0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model.requires_grad_(False)
        inject_adapter_in_model(config, model)
    model.eval()


@torch.no_grad()
def merged(model: PreTrainedModel) -> dict[str, Tensor] | None:
    """The weights of a model whose adapters are added to them, by their plain names; None where it has no adapters."""
    if not adapted(model):
        return None
    added = {
        name: module.get_delta_weight(module.active_adapters[0])
        for name, module in model.named_modules()
        if hasattr(module, "base_layer")
    }
    weights = {}
    for name, weight in model.state_dict().items():
        if ".lora_" in name:
            continue
        layer = name.partition(".base_layer.")[0]
        plain = name.replace(".base_layer.", ".")
        weights[plain] = weight + added[layer] if plain == f"{layer}.weight" and layer in added else weight
    return weights
