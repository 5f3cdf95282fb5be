"""Where a model lies that the grid did not train: a folder, a download, or the hub's cache. Imports no torch."""

from __future__ import annotations

from pathlib import Path

from echochamber.errors import UserError
from echochamber.jobs import downloads

WEIGHTS = ("*.safetensors", "*.bin")
"""The first that a repository has is taken."""
THE_REST = ("*.[jtm][sxo][otd]*",)
"""Configuration and tokenizer: .json, .txt, .model."""
TOKENIZER = ("*token*",)
"""A tokenizer alone."""


def here(path: str, data: str) -> Path | None:
    """The folder `path`, or what `snakemake download` fetched of that repository; None if there is neither."""
    return next((folder for folder in (Path(path), Path(data) / path) if folder.is_dir()), None)


def missing(key: str, path: str, data: str, reason: str) -> str:
    """The line that says so."""
    return (
        f"{key}.import: found no folder {path} or {data}/{path}, nor can that repository be read ({reason}), "
        f"allowed: a folder that save_pretrained wrote, or a repository (`snakemake download` fetches it)"
    )


def incomplete(key: str, folder: Path) -> str | None:
    """The line that says what is missing of a model's folder, or None."""
    return downloads.incomplete(key, folder, WEIGHTS) or downloads.incomplete(key, folder, THE_REST)


def find(path: str, revision: str, data: str) -> Path:
    """The folder of a model, from the hub where it is not here.

    Raises:
        FileNotFoundError: it is nowhere; one line says what is missing.
        UserError: it is not here in full.
    """
    from huggingface_hub import snapshot_download

    if folder := here(path, data):
        if line := incomplete("models", folder):
            raise UserError(line)
        return folder
    try:
        for weights in WEIGHTS:
            folder = Path(snapshot_download(path, revision=revision, allow_patterns=[weights, *THE_REST]))
            if any(folder.glob(weights)):
                break
    except Exception as error:  # whatever the network, or a library that speaks with it, makes of it
        raise FileNotFoundError(missing("models", path, data, type(error).__name__)) from None
    return folder
