"""Where the files of a source or of a question set lie: the user's own, downloads, the hub."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from echochamber.corpora import reading
from echochamber.errors import UserError
from echochamber.jobs import downloads
from echochamber.settings import HubQuestions, HubSource, HubTokenizer, LocalQuestions, QuestionSet, Source

HUB = "hf://datasets/"
OWN_KINDS = (".parquet", *(kind + packed for kind in (".jsonl", ".json", ".csv") for packed in ("", ".gz", ".zst")))
"""How files of one's own may end."""
FITTING = (
    "with Llama-2's 32,000 pieces, for all to read: hf-internal-testing/llama-tokenizer, NousResearch/Llama-2-7b-hf"
)
"""Tokenizers for the paper's grid; Llama-2's own repository is gated."""


@dataclass(frozen=True)
class Location:
    """The files of a corpus, or of one split of a question set."""

    key: str
    """Whose: the place in the grid file."""
    patterns: tuple[str, ...]
    """Of the files below the root, as `downloads.matching` takes them."""
    path: str | None = None
    """The folder, or the URL of a mirror, that the grid file names."""
    repository: str = ""
    """Of the hub; empty: the files are the user's own."""
    revision: str = "main"

    def root(self, data: str) -> str:
        """`path`, else the folder of downloads `data` if it has the repository, else the hub."""
        if self.path is not None:
            return self.path
        local = Path(data) / self.repository
        return str(local) if local.is_dir() else f"{HUB}{self.repository}@{self.revision}"

    def files(self, data: str) -> list[reading.DataFile]:
        """The files.

        Raises:
            UserError: there are none, or not all of them, or none that can be read.
        """
        root, reason = self.root(data), "nothing there"
        try:
            files = reading.find(root, self.patterns)
        except Exception as error:  # whatever the network, or a library that speaks with it, makes of it
            files, reason = [], f"{type(error).__name__}: {' '.join(str(error).split())[:150]}"
        if not files:
            raise UserError(self.missing(data, reason))
        if "://" not in root:
            downloads.refuse_lacking(self.key, Path(root), self.patterns)
        if not self.repository:
            each = [reading.find(root, (pattern,)) for pattern in self.patterns]
            _refuse_other_kinds(self.key, [files[0].url for files in each if files] + [file.url for file in files])
        return files

    def missing(self, data: str, reason: str = "nothing there") -> str:
        """One line: what was not found, and how to get it."""
        if not self.repository:
            where = "" if self.path == "." else f" in {self.path}"
            return f"{self.key}: found no {self.patterns[0]}{where} ({reason}), allowed: a file, a folder or a glob"
        return (
            f"{self.key}: found no {self.patterns[0]} in {self.root(data)} ({reason}), allowed: `snakemake download` "
            f"where there is network (it fills {data}/{self.repository}), or {self.key}.path: a folder or mirror that "
            "has it"
        )


def of_source(name: str, settings: Source) -> Location | None:
    """Of a corpus; None: the embedded world makes it."""
    key = f"corpora.{name}"
    if isinstance(settings, HubSource):
        about = settings.about
        return Location(key, about.patterns, settings.path, about.repository, settings.revision)
    return own_files(f"{key}.path", settings.path) if settings.kind == "local" else None


def of_questions(name: str, settings: QuestionSet, split: str) -> Location | None:
    """Of a split of a question set; None: the embedded world makes it, or there is no such split."""
    key = f"question_sets.{name}"
    if isinstance(settings, HubQuestions):
        repository, patterns = settings.where
        if split in patterns:
            return Location(key, patterns[split], settings.path, repository, settings.revision)
        return None
    if isinstance(settings, LocalQuestions) and (place := getattr(settings, split)):
        return own_files(f"{key}.{split}", place)
    return None


def own_files(key: str, place: str) -> Location:
    """Of a file, a folder (all data files below it) or a glob."""
    path = PurePosixPath(Path(place).as_posix())
    if Path(place).is_dir():
        return Location(key, tuple(f"*{kind}" for kind in OWN_KINDS), str(path))
    parts = path.parts
    fixed = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    return Location(key, ("/".join(parts[fixed:]),), str(PurePosixPath(*parts[:fixed])))


def _refuse_other_kinds(key: str, urls: Iterable[str]) -> None:
    """Raises UserError for files that no reader takes, or of several kinds: one of them would not be read."""
    kinds: dict[str, str] = {}
    for url in urls:
        kind = next((kind for kind in OWN_KINDS if url.endswith(kind)), None)
        if kind is None:
            raise UserError(f"{key}: found {url}, allowed: files that end in {', '.join(OWN_KINDS)}")
        kinds.setdefault(kind, url)
    if len(kinds) > 1:
        raise UserError(f"{key}: found {' and '.join(kinds.values())}, allowed: files of one kind (`FOLDER/*.jsonl`)")


def missing_tokenizer(settings: HubTokenizer, data: str) -> str:
    """The same for the tokenizer."""
    return (
        f"tokenizer.path: found no folder {settings.path} or {data}/{settings.path}, nor a repository of that name on "
        f"the hub, allowed: a folder with tokenizer.json, or a repository that has it ({FITTING}; `snakemake download` "
        "fetches it)"
    )
