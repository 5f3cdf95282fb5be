"""How often a job was begun and how each attempt ended: kept in its state folder, told in provenance.json.

A time limit, a preemption and Ctrl-C are no failures: an attempt that was asked to stop and has saved is `interrupted`.
One that ended with an error has `failed`; one that ended without a word, by SIGKILL or with its machine, was `killed`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from echochamber.errors import Interrupted
from echochamber.jobs import files


@dataclass
class Attempts:
    """Of one job, before the attempt that goes on now."""

    interrupted: int = 0
    failed: int = 0
    killed: int = 0
    running: bool = False
    """Set while an attempt goes on; who finds it set knows that the last one was killed."""
    error: str | None = None
    """What the last attempt failed with."""

    @property
    def counts(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in ("interrupted", "failed", "killed")}


def read(state: Path) -> Attempts:
    """Of the job whose state folder this is."""
    try:
        return Attempts(**json.loads((state / "attempts.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Attempts()


@contextmanager
def attempt(state: Path) -> Iterator[Attempts]:
    """Count this attempt by how the block ends. The caller holds the folder's lock."""
    counts = read(state)
    counts.killed += counts.running
    counts.running, counts.error = True, None
    before = Attempts(**asdict(counts))
    _write(state, counts)
    try:
        yield before
    except Interrupted:
        counts.interrupted += 1
        raise
    except Exception as error:
        counts.failed += 1
        counts.error = f"{' '.join(str(error).split())}" or type(error).__name__
        raise
    finally:
        counts.running = False
        _write(state, counts)


def _write(state: Path, counts: Attempts) -> None:
    files.write_json(state / "attempts.json", asdict(counts))
