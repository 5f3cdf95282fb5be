"""Fetching files of the hub: several at a time, each going on from the bytes that an earlier call left behind.

`hf_hub_download` begins a file anew in every process.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from echochamber.errors import Interrupted, UserError
from echochamber.jobs import downloads, files, inputs
from echochamber.jobs.downloads import File

AT_ONCE = 8
"""Files that are fetched at a time."""
PARTS = ".download"
"""Folder, in that of a repository, of files that are not whole yet."""
SHA256 = 64
"""Characters of the identity of a file that is stored by the hash of its contents."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wish:
    """A file to fetch."""

    key: str
    """Whose: the place in the grid file."""
    repository: str
    kind: str
    path: str
    file: File
    folder: Path
    """Of the repository, here."""

    @property
    def part(self) -> Path:
        return self.folder / PARTS / f"{self.path}.{self.file.id[:12]}.part"

    @property
    def left(self) -> int:
        """Bytes that are still to be fetched."""
        return self.file.size - (min(self.part.stat().st_size, self.file.size) if self.part.is_file() else 0)


def refuse_full_disk(folder: Path, wishes: Sequence[Wish]) -> None:
    """Raises UserError where the disk of a folder has less room than what is left to fetch."""
    there = next(ancestor for ancestor in (folder, *folder.absolute().parents) if ancestor.exists())
    free, needed = shutil.disk_usage(there).free, sum(wish.left for wish in wishes)
    if free < needed:
        raise UserError(
            f"data: found {free / 1e9:.1f} GB free on the disk of {folder}, allowed: the {needed / 1e9:.1f} GB that "
            "are to be fetched, or the folder of a larger disk"
        )


def fetch_all(wishes: Sequence[Wish], stop: Callable[[], bool], at_once: int = AT_ONCE) -> Iterator[Wish]:
    """Fetch files in their order, several at a time; yields each that is there.

    Raises:
        UserError: the first that cannot be fetched, in one line; no other is begun after it.
        Interrupted: `stop()` turned true. What is there of a file stays, and the next call goes on from it.
    """
    todo: SimpleQueue[Wish] = SimpleQueue()
    done: SimpleQueue[tuple[Wish, Exception | None]] = SimpleQueue()
    for wish in wishes:
        todo.put(wish)

    def work() -> None:
        while True:
            try:
                wish = todo.get_nowait()
            except Empty:
                return
            try:
                fetch(wish)
                done.put((wish, None))
            except Exception as error:  # whatever the network, or a library that speaks with it, makes of it
                done.put((wish, error))

    for _ in range(min(at_once, len(wishes))):
        Thread(target=work, daemon=True).start()  # a daemon does not keep a stopped process alive
    for number in range(len(wishes)):
        while True:
            try:
                wish, error = done.get(timeout=0.2)
                break
            except Empty:
                if stop():
                    _drain(todo)
                    raise Interrupted(f"{number} of {len(wishes)} files fetched") from None
        if error is not None:
            _drain(todo)
            raise error if isinstance(error, UserError) else UserError(_line(wish, error))
        yield wish


def fetch(wish: Wish) -> None:
    """Fetch one file and compare it with the listing of its repository.

    Raises:
        UserError: it has other contents.
        Exception: what the network, or a library that speaks with it, makes of it.
    """
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # it has no __all__

    part, target = wish.part, wish.folder / wish.path
    url = hf_hub_url(wish.repository, wish.path, repo_type=wish.kind, revision=wish.file.commit)
    for folder in (part.parent, target.parent):
        folder.mkdir(parents=True, exist_ok=True)
    with part.open("ab") as out:
        if out.tell() > wish.file.size:
            out.truncate(0)
        elif 0 < out.tell() < wish.file.size:
            log.info("%s: going on from byte %d of %d", target, out.tell(), wish.file.size)
        if out.tell() < wish.file.size:
            headers = build_hf_headers() | {"Accept-Encoding": "identity"}
            http_get(url, out, resume_size=out.tell(), headers=headers, expected_size=wish.file.size)
    digest = inputs.sha256(part) if len(wish.file.id) == SHA256 else wish.file.id
    if digest != wish.file.id or not downloads.is_whole(part, wish.file):
        part.unlink()
        raise UserError(
            f"{wish.key}: found other contents in {target} than the listing of {wish.repository} says (hash "
            f"{digest[:12]}), allowed: {wish.file.id[:12]}, {wish.file.size} bytes: `snakemake download` fetches it"
        )
    files.sync(part)
    part.replace(target)


def _drain(queue: SimpleQueue[Wish]) -> None:
    """So that no worker takes another."""
    try:
        while True:
            queue.get_nowait()
    except Empty:
        return


def _line(wish: Wish, error: Exception) -> str:
    reason = " ".join(str(error).split())[:200]
    return (
        f"{wish.key}: {wish.path} of {wish.repository} cannot be fetched ({type(error).__name__}: {reason}), "
        "allowed: network, and HF_TOKEN where a repository is gated; `snakemake download` goes on where it stopped"
    )
