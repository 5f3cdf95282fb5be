"""What a training job needs to go on after a kill, and the checkpoints that it keeps.

A state folder (`results/<grid>/state/<id>`) holds

    spec.json               what the state belongs to; a job with another spec starts afresh
    latest/, previous/      everything to resume from, each with its checksum
    checkpoints/step_*/     kept models in the Hugging Face layout
    attempts.json           how often it was begun and how that ended (`echochamber.attempts`)
    progress.json           how far it is (`job.Progress`)

None of it is a declared output of a rule: Snakemake deletes the outputs of a failed job. On success `publish` links the
kept checkpoints into the declared folder.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

import torch

from echochamber import files

log = logging.getLogger(__name__)

SECONDS_BETWEEN_SAVES = float(os.environ.get("ECHO_SECONDS_BETWEEN_SAVES", "60"))
"""How often a trainer saves what it resumes from. When it saves changes no result."""


PROGRESS = "progress.json"
"""In a state folder: how far the job is (`job.Progress`)."""


def step_name(step: int) -> str:
    return f"step_{step:08d}"


def start_afresh_unless_same(folder: Path, spec: dict[str, Any]) -> None:
    """Empty a state folder (but for its lock) that another spec has left behind, and mark it with this one."""
    owner = folder / "spec.json"
    text = json.dumps(spec, sort_keys=True)
    if owner.exists() and owner.read_text(encoding="utf-8") == text:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.iterdir():
        if left.name != "LOCK":
            files.remove(left)
    files.write_text(owner, text)


class TrainingState:
    """The state folder of one run. Its caller holds the folder's lock (`echochamber.lock`)."""

    def __init__(self, folder: Path, spec: dict[str, Any]) -> None:
        """Open `folder`; whatever another spec has left there is removed."""
        self.folder = folder
        self.progress = folder / PROGRESS
        start_afresh_unless_same(folder, spec)

    def save(self, state: dict[str, Any]) -> None:
        """Write tensors and plain values; the last one saved becomes `previous`. Atomic at every step.

        A kill leaves `latest` as it was, or `previous` alone, or the new `latest`: each can be resumed from.
        """
        latest, previous, aside = (self.folder / name for name in ("latest", "previous", "next.part"))
        files.remove(aside)
        aside.mkdir(parents=True)
        torch.save(state, aside / "state.pt")
        (aside / "sha256").write_text(_sha256(aside / "state.pt"), encoding="utf-8")
        files.sync(aside)
        if latest.exists():
            files.remove(previous)
            os.replace(latest, previous)
        os.replace(aside, latest)
        files.sync_entry(self.folder)

    def load(self) -> dict[str, Any] | None:
        """The newest whole state, or None if there is none. A damaged one is passed over, and the log says so."""
        for name in ("latest", "previous"):
            folder = self.folder / name
            if not folder.exists():
                continue
            try:
                if _sha256(folder / "state.pt") != (folder / "sha256").read_text(encoding="utf-8"):
                    raise ValueError("checksum differs")
                return torch.load(folder / "state.pt", map_location="cpu", weights_only=True)
            except Exception as error:  # whatever is wrong with the file, the one before it may be good
                log.warning("%s is damaged (%s): passed over", folder, error)
        return None

    def keep(self, step: int, model, tokenizer, weights: dict[str, torch.Tensor] | None = None) -> None:
        """Keep the model as an ordinary Hugging Face folder, checkpoints/step_<8 digits>.

        Args:
            weights: by name, where the model itself holds only a part of them.
        """

        def write(aside: Path) -> None:
            model.save_pretrained(aside, state_dict=weights)
            tokenizer.save_pretrained(aside)

        files.write_aside(self.folder / "checkpoints" / step_name(step), write)

    def finish(self, result: dict[str, Any]) -> None:
        """Replace the state by the result alone: a rerun then publishes it again without training."""
        self.save({"finished": result})
        files.remove(self.folder / "previous")

    def finished(self) -> dict[str, Any] | None:
        return (self.load() or {}).get("finished")

    def publish(self, out: Path) -> None:
        """Link the kept checkpoints to `out`/checkpoints (copied where the file system has no hard links)."""
        target = out / "checkpoints"
        files.remove(target)
        unfinished = shutil.ignore_patterns(".*")  # what a kill inside `keep` has left
        shutil.copytree(self.folder / "checkpoints", target, copy_function=_link_or_copy, ignore=unfinished)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
