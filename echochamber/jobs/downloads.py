"""Whether a set of files from elsewhere is whole: by the listing that its download wrote first, else by their names.

Half a download is not a corpus: jobs and the start of Snakemake refuse it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from echochamber.errors import UserError
from echochamber.jobs import files

LISTING = ".download.json"
"""In the folder of a repository: path -> size, identity and commit of each file that was asked for."""

_NUMBERED = re.compile(r"(.*)-(\d{5})-of-(\d{5})(\..*)?")


@dataclass(frozen=True)
class File:
    """A file of a repository."""

    size: int
    """In bytes."""
    id: str
    """Of its contents, as the hub has it."""
    commit: str


def matching(paths: Iterable[str], patterns: tuple[str, ...]) -> list[str]:
    """The paths, sorted, that the first pattern matches that matches any."""
    paths = list(paths)
    return next(filter(None, (sorted(p for p in paths if fnmatchcase(p, pattern)) for pattern in patterns)), [])


def read_listing(folder: Path) -> dict[str, File]:
    """What was asked for of a repository; nothing where nobody downloaded it."""
    path = folder / LISTING
    if not path.is_file():
        return {}
    try:
        return {name: File(**about) for name, about in json.loads(path.read_text(encoding="utf-8")).items()}
    except (ValueError, TypeError, AttributeError):
        raise UserError(f"{path}: found no listing of a download, allowed: what `snakemake download` wrote") from None


def write_listing(folder: Path, listing: Mapping[str, File]) -> None:
    """Before the first file, so that the set is known when only half of it is there."""
    files.write_json(folder / LISTING, {name: asdict(file) for name, file in listing.items()})


def lacking(folder: Path, patterns: tuple[str, ...]) -> str | None:
    """What is missing of the files that the first pattern matches; None where they are whole, or nobody can tell.

    Without a listing there must be as many files named `-of-00005` as that says.
    """
    listed = read_listing(folder)
    if wanted := matching(listed, patterns):
        left = [name for name in wanted if not is_whole(folder / name, listed[name])]
        return f"{len(wanted) - len(left)} of {len(wanted)} files whole, not {left[0]}" if left else None
    names = matching((path.relative_to(folder).as_posix() for path in folder.rglob("*")), patterns)
    counts = Counter((match[1], match[3], match[4] or "") for name in names if (match := _NUMBERED.fullmatch(name)))
    for (start, total, end), count in counts.items():
        if count < int(total):
            return f"{count} of {int(total)} files {start}-*-of-{total}{end}"
    return None


def is_whole(path: Path, file: File) -> bool:
    """Whether a file is there with all of its bytes."""
    return path.is_file() and path.stat().st_size == file.size


def refuse_lacking(key: str, folder: Path, patterns: tuple[str, ...]) -> None:
    """Raises UserError where a set of files is not whole; `key` is its place in the grid file."""
    if line := incomplete(key, folder, patterns):
        raise UserError(line)


def incomplete(key: str, folder: Path, patterns: tuple[str, ...]) -> str | None:
    """The line that says what is missing of a set of files, or None."""
    missing = lacking(folder, patterns)
    return missing and (
        f"{key}: found {missing} in {folder}, allowed: all of them: `snakemake download` fetches what is missing of a "
        "download, a copy made by hand is to be made again"
    )
