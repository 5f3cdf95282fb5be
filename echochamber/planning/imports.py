"""The size of a model that the grid did not train, before it is fetched. Imports no torch."""

from __future__ import annotations

from pathlib import Path

from echochamber.models import imported
from echochamber.planning import flops
from echochamber.planning.flops import Shape
from echochamber.settings import ImportedModel


def shape(settings: ImportedModel, data: str, ask: bool = False) -> Shape | None:
    """By its folder, its download, the hub's cache, or the hub; None where nobody says.

    Args:
        data: the grid's folder of downloads.
        ask: whether to ask the hub for config.json, which its cache then holds.
    """
    if folder := imported.here(settings.path, data):
        return flops.of_folder(folder)
    config = _config(settings, ask)
    return flops.of_folder(config.parent) if config else None


def _config(settings: ImportedModel, ask: bool) -> Path | None:
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    try:
        cached = try_to_load_from_cache(settings.path, "config.json", revision=settings.revision)
        if isinstance(cached, str):
            return Path(cached)
        return Path(hf_hub_download(settings.path, "config.json", revision=settings.revision)) if ask else None
    except Exception:  # no network, no such repository: the job that reads it will say so
        return None
