"""Files that a job reads and no job of the grid makes, known by their contents (`Spec.inputs`).

A group of files is named by a pattern, as `fnmatch` reads it: `data/openai/gsm8k/main/train-*.parquet`. Its content is
one hash over the names and hashes of its files, hidden ones left out. Hashes are remembered with size, times and inode
of the file, so that each file is read once: a changed one has another time of change, which no program sets back.
"""

from __future__ import annotations

import glob
import hashlib
import json
import logging
import os
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path

from echochamber.errors import UserError
from echochamber.jobs import files

MEMORY = Path(".snakemake/inputs.json")
"""In the folder of the workflow, beside what Snakemake itself remembers of its jobs."""
FRESH_SECONDS = 2.0
"""What was changed less than so long ago may change again within one tick of the clock: it is not remembered."""
LARGE = 1 << 30
"""Bytes to read from which on the log says so."""

log = logging.getLogger(__name__)


def pattern(folder: Path | str, below: str) -> str:
    """The files below a folder whose paths in it match `below`."""
    name = Path(folder).as_posix()
    return below if name == "." else f"{glob.escape(name)}/{below}"


def matching(pattern: str) -> list[Path]:
    """The files of a group, sorted; none where there is no such folder."""
    fixed = []
    for part in pattern.split("/")[:-1]:
        if glob.has_magic(part.replace("[[]", "").replace("[*]", "").replace("[?]", "")):
            break
        fixed.append(part.replace("[[]", "[").replace("[*]", "*").replace("[?]", "?"))
    root = Path("/".join(fixed) or ("/" if pattern.startswith("/") else "."))
    paths = []
    for folder, folders, names in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths += [Path(folder, name) for name in names if not name.startswith(".")]
    return sorted(path for path in paths if fnmatchcase(path.as_posix(), pattern))


class Contents:
    """Hashes of groups of files."""

    def __init__(self, memory: Path | None = MEMORY) -> None:
        """memory: a file that keeps hashes from one process to the next, where its folder is there; None: none does."""
        self.memory = memory
        self.stamps: dict[str, list[int]] = {}
        self.hashes: dict[str, str] = {}
        self.groups: dict[str, str] = {}
        if memory and memory.is_file():
            try:
                kept = json.loads(memory.read_text(encoding="utf-8"))
                self.stamps, self.hashes, self.groups = kept["stamps"], kept["hashes"], kept["groups"]
            except (OSError, ValueError, KeyError):
                log.warning("%s cannot be read: files are read again instead", memory)

    def of(self, patterns: Iterable[str]) -> dict[str, str]:
        """The first group of several that has files, and its content.

        Where none has, one that had files when they were last looked at, as it was: what is gone has not changed, and
        data may be thrown away once they have been read.
        """
        patterns = list(patterns)
        for group in patterns:
            if paths := matching(group):
                return {group: self._content(group, paths)}
        return next(({group: self.groups[group]} for group in patterns if group in self.groups), {})

    def changed(self, inputs: Mapping[str, str]) -> list[str]:
        """A line for each group that is not what `inputs` says."""
        lines = []
        for group, wanted in inputs.items():
            paths = matching(group)
            if not paths:
                lines.append(
                    f"{group}: found nothing, allowed: the files that this job was planned with ({wanted[:12]})"
                )
            elif (content := self._content(group, paths)) != wanted:
                lines.append(
                    f"{group}: found other contents ({content[:12]}) than this job was planned with ({wanted[:12]}), "
                    "allowed: the same; start Snakemake again to make what hangs on them anew"
                )
        return lines

    def check(self, inputs: Mapping[str, str]) -> None:
        """Raises UserError where files are not what `inputs` says."""
        if lines := self.changed(inputs):
            raise UserError("; ".join(lines))

    def _content(self, group: str, paths: list[Path]) -> str:
        stamps = {path.as_posix(): _stamp(path) for path in paths}
        unknown = [name for name, stamp in stamps.items() if self.stamps.get(name) != stamp]
        size = sum(stamps[name][0] for name in unknown)
        if size > LARGE:
            log.warning(
                "reading %d files (%.1f GB) of %s to know them by their contents", len(unknown), size / 1e9, group
            )
        with ThreadPoolExecutor(os.cpu_count()) as readers:
            read = dict(zip(unknown, readers.map(sha256, unknown), strict=True))
        hashes = {name: read.get(name) or self.hashes[name] for name in stamps}
        content = hashlib.sha256("".join(f"{name}\n{value}\n" for name, value in hashes.items()).encode()).hexdigest()
        settled = [name for name in unknown if time.time() - stamps[name][2] / 1e9 > FRESH_SECONDS]
        if settled or self.groups.get(group) != content:
            self.stamps |= {name: stamps[name] for name in settled}
            self.hashes |= {name: hashes[name] for name in settled}
            self.groups[group] = content
            self._keep()
        return content

    def _keep(self) -> None:
        if self.memory and self.memory.parent.is_dir():
            kept = {"stamps": self.stamps, "hashes": self.hashes, "groups": self.groups}
            files.write_text(self.memory, json.dumps(kept, indent=1, sort_keys=True))


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def sha256(path: str | Path) -> str:
    """Of a file's bytes. Raises UserError where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: found a file that cannot be read ({error.strerror}), allowed: one that can") from None
