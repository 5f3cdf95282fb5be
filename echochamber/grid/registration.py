"""The registration of a study: what was fixed before its runs, by hash, and whether that is still what is there.

A grid file names its registration (`registered`), a small file beside it: one entry when the study was registered, one
for each later amendment with its reason. Written by `make register`, committed before the jobs that it speaks of.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from echochamber.errors import UserError
from echochamber.jobs.files import write_json
from echochamber.settings import GridFile

FREE = {"registered", "hardware", "judge", "data", "trackers"}
"""Settings that are no part of a registration: where jobs run and what reads their results."""


@dataclass(frozen=True)
class Entry:
    """What was fixed at one time."""

    time: str
    """UTC."""
    git_commit: str | None
    """The commit that it was written on: the registration itself is in the next."""
    grid: str
    """`fingerprint` of the grid file."""
    thresholds: str
    """SHA-256 of the thresholds."""
    note: str
    """Why, for an amendment."""


def fingerprint(file: GridFile) -> str:
    """SHA-256 of all settings of a grid file that may change a number, a figure or a verdict.

    Settings at their defaults are left out, so that one that is added later changes nothing.
    """
    settings = file.model_dump(mode="json", exclude=FREE, exclude_defaults=True)
    text = json.dumps(settings, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def read(path: Path) -> list[Entry]:
    """The entries, oldest first; none if there is no file. Raises UserError, in one line, if it cannot be read."""
    if not path.exists():
        return []
    try:
        entries = [Entry(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
        if not entries:
            raise ValueError("no entry")
        return entries
    except (ValueError, TypeError) as error:
        raise UserError(f"{path}: found no registration ({error}), allowed: what `make register` writes") from None


def register(path: Path, entry: Entry) -> None:
    """Add an entry. Raises UserError if an amendment has no note, or changes nothing."""
    entries = read(path)
    if entries and not entry.note:
        raise UserError(f"{path}: an amendment needs a note that says why (make register NOTE=...)")
    if entries and (entries[-1].grid, entries[-1].thresholds) == (entry.grid, entry.thresholds):
        raise UserError(f"{path}: nothing has changed since {entries[-1].time}")
    write_json(path, [vars(other) for other in (*entries, entry)])


def in_words(file: GridFile, thresholds: str) -> str:
    """Whether the grid and these thresholds (SHA-256) are the registered ones, for reports."""
    if file.registered is None:
        return "This grid is not registered: its settings and thresholds could have been chosen after its results."
    entries = read(Path(file.registered))
    if not entries:
        return f"Not registered: {file.registered} is not there."
    changed = [
        what
        for what, now, then in (
            ("grid file", fingerprint(file), entries[-1].grid),
            ("thresholds", thresholds, entries[-1].thresholds),
        )
        if now != then
    ]
    if changed:
        return f"NOT as registered: the {' and the '.join(changed)} changed after {entries[-1].time}."
    first = f"Registered {entries[0].time} (on commit {str(entries[0].git_commit)[:10]})"
    notes = "; ".join(f"amended {entry.time}: {entry.note}" for entry in entries[1:])
    return f"{first}{'; ' + notes if notes else ''}. Grid file and thresholds are as registered."
