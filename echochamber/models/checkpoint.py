"""What a training job needs to go on after a kill, and the checkpoints that it keeps.

A state folder (`results/<grid>/state/<id>`) holds

    spec.json               what the state belongs to; a job with another spec starts afresh
    latest/, previous/      everything to resume from, each with its checksum
    checkpoints/step_*/     kept models in the Hugging Face layout
    attempts.json           how often it was begun and how that ended (`echochamber.jobs.attempts`)
    progress.json           how far it is (`job.Progress`)
    metrics.csv             the rows so far: whole at any moment, no row twice after a resume

None of it is a declared output of a rule: Snakemake deletes the outputs of a failed job. On success `publish` links the
kept checkpoints into the declared folder.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import math
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pandas as pd
import torch

from echochamber.jobs import files
from echochamber.models import adapters, saving

log = logging.getLogger(__name__)

SECONDS_BETWEEN_TABLES = 5.0
"""How often metrics.csv in the state folder is written at most, but for saves and the end."""

PROGRESS = "progress.json"
"""In a state folder: how far the job is (`job.Progress`)."""
METRICS = "metrics.csv"
"""In a state folder: the rows of the metrics.csv that the job will write at its end."""


def step_name(step: int) -> str:
    return f"step_{step:08d}"


def start_afresh_unless_same(folder: Path, spec: dict[str, Any]) -> None:
    """Mark a state folder with this spec. What another spec has left there is set aside, and the log names it.

    It is kept as `<folder>.of-<hash of its spec>`: an edit of the grid file that is taken back costs no finished job.
    """
    owner = folder / "spec.json"
    text = json.dumps(spec, sort_keys=True)
    before = owner.read_text(encoding="utf-8") if owner.exists() else ""
    if before == text:
        return
    folder.mkdir(parents=True, exist_ok=True)
    remains = [left for left in folder.iterdir() if left.name != "LOCK"]
    if remains:
        aside = _free(_aside(folder, before))
        aside.mkdir()
        for left in remains:
            os.replace(left, aside / left.name)
        log.warning("%s belongs to another spec: set aside as %s", folder, aside)
    earlier = _aside(folder, text)
    if earlier.exists():
        for left in earlier.iterdir():
            os.replace(left, folder / left.name)
        earlier.rmdir()
        log.info("going on from %s", earlier)
    files.write_text(owner, text)


def _aside(folder: Path, text: str) -> Path:
    return folder.with_name(f"{folder.name}.of-{hashlib.sha256(text.encode()).hexdigest()[:12]}")


def _free(name: Path) -> Path:
    """The name, or with a number where it is taken: nothing that was set aside is lost to what comes after."""
    names = (name.with_name(f"{name.name}.{number}") for number in itertools.count(2))
    return next(path for path in itertools.chain([name], names) if not path.exists())


class TrainingState:
    """The state folder of one run. Its caller holds the folder's lock (`echochamber.jobs.lock`)."""

    def __init__(self, folder: Path, spec: dict[str, Any]) -> None:
        """Open `folder`; whatever another spec has left there is set aside."""
        self.folder = folder
        self.progress = folder / PROGRESS
        self.last_table = -math.inf
        self.pace = saving.Pace()
        self.writer = ThreadPoolExecutor(1, "save")
        self.writing: Future[None] | None = None
        self.superseded = Event()
        self.follow: Callable[[list[dict[str, Any]]], object] = lambda rows: None
        """Is shown the rows of metrics.csv, as often as they are (`jobs.trackers`)."""
        start_afresh_unless_same(folder, spec)

    def due(self) -> bool:
        """Whether it is time to save: not while a save goes on.

        Raises:
            OSError: the one that went on beside the last steps has failed.
        """
        if self.writing:
            if not self.writing.done():
                return False
            writing, self.writing = self.writing, None
            writing.result()
        return self.pace.due()

    def save(self, state: dict[str, Any], *, beside: bool = False, copied: bool = False) -> None:
        """Write tensors and plain values; the last one saved becomes `previous`. Atomic at every step.

        A kill leaves `latest` as it was, or `previous` alone, or the new `latest`: each can be resumed from. A save
        that still goes on is given up for this one.

        Args:
            beside: the steps that follow need not wait, where the last save was long and the host has memory for a
                copy. `due` tells of its errors.
            copied: no later step changes the tensors.
        """
        self._give_up()
        beside = beside and self.pace.took >= saving.BESIDE_FROM
        if beside and not copied:
            beside = saving.host_bytes_free() > 1.25 * saving.tensor_bytes(state)
            state = saving.snapshot(state) if beside else state
        if beside:
            self.superseded.clear()
            self.writing = self.writer.submit(self._write, state, self.superseded.is_set)
        else:
            self._write(state)

    def _give_up(self) -> None:
        """Let a save that still goes on end where it is. One that has failed is made up for by the next."""
        self.superseded.set()
        if self.writing:
            error, self.writing = self.writing.exception(), None
            if error and not isinstance(error, saving.Cancelled):
                log.warning("the last save failed: %s", error)

    def _write(self, state: dict[str, Any], cancelled: Callable[[], bool] = lambda: False) -> None:
        started = time.monotonic()
        latest, previous, aside = (self.folder / name for name in ("latest", "previous", "next.part"))
        files.remove(aside)
        aside.mkdir(parents=True)
        saving.write(state, aside, cancelled)
        files.sync(aside)
        if latest.exists():
            files.remove(previous)
            os.replace(latest, previous)
        os.replace(aside, latest)
        files.sync_entry(self.folder)
        self.pace.saved(time.monotonic() - started)

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

    def show(self, metrics: list[dict[str, Any]], *, now: bool = False) -> None:
        """Write the rows so far to metrics.csv, as the job writes them at its end, unless it was done a moment ago.

        The whole file anew: its columns can become more (held-out losses), and rows that a killed process had written
        beyond what it saved are gone when the next one shows what it goes on from. Never the declared output, which
        stays as it is until the job is done.

        Args:
            now: however short it is ago.
        """
        if not now and time.monotonic() - self.last_table < SECONDS_BETWEEN_TABLES:
            return
        if not metrics:
            files.remove(self.folder / METRICS)
            return
        files.write_csv(self.folder / METRICS, pd.DataFrame(metrics))
        self.follow(metrics)
        self.last_table = time.monotonic()

    def keep(self, step: int, model, tokenizer, weights: dict[str, torch.Tensor] | None = None) -> None:
        """Keep the model as an ordinary Hugging Face folder, checkpoints/step_<8 digits>, with its adapters merged.

        Args:
            weights: by name, where the model itself holds only a part of them.
        """

        def write(aside: Path) -> None:
            model.save_pretrained(aside, state_dict=weights or adapters.merged(model))
            tokenizer.save_pretrained(aside)

        files.write_aside(self.folder / "checkpoints" / step_name(step), write)

    def finish(self, result: dict[str, Any]) -> None:
        """Replace the state by the result alone: a rerun then publishes it again without training."""
        self.show(result["metrics"], now=True)
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
