"""What a grid needs from the Hugging Face hub: which files, whether they are there, and fetching them.

`wanted` and `chosen` are pure; `listing`, `fetch` and `unreachable` touch the network. A file that is there in full is
not fetched again; half a file is never taken for one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from echochamber import imported
from echochamber.corpora import hub, reading
from echochamber.corpora.catalog import CORPORA, QUESTION_SETS
from echochamber.grid import Grid
from echochamber.job import Progress, UserError
from echochamber.settings import HubTokenizer

Listing = dict[str, int]
"""Path in a repository -> bytes."""


@dataclass(frozen=True)
class Wanted:
    """Some files of one repository."""

    key: str
    """Whose: the place in the grid file."""
    repository: str
    kind: str
    """`dataset` or `model` (tokenizers, too)."""
    revision: str
    patterns: tuple[str, ...]
    """As `reading.matching` takes them."""


def wanted(
    grid: Grid, sources: Iterable[str] | None = None, questions: Iterable[tuple[str, str]] | None = None
) -> list[Wanted]:
    """What the grid takes from the hub, without what its `path` settings say lies elsewhere.

    Args:
        sources, questions: only these corpora and (question set, split); none: all that the grid's jobs read.
    """
    found = []
    for name in grid.read_corpora if sources is None else sources:
        settings = grid.file.corpora[name]
        if settings.kind == "hub" and not settings.path:
            corpus = CORPORA[settings.dataset]
            repository = (corpus.repository, "dataset", settings.revision)
            found.append(Wanted(f"corpora.{name}", *repository, corpus.patterns))
    for name, split in grid.question_files if questions is None else questions:
        settings = grid.file.question_sets[name]
        if settings.kind == "hub" and not settings.path:
            known = QUESTION_SETS[settings.dataset]
            repository = (known.repository, "dataset", settings.revision)
            found.append(Wanted(f"question_sets.{name}", *repository, known.patterns[split]))
    return found


def wanted_tokenizer(grid: Grid) -> Wanted | None:
    """The grid's tokenizer, if it is a repository of the hub."""
    settings = grid.file.tokenizer
    if not isinstance(settings, HubTokenizer) or Path(settings.path).is_dir():
        return None
    return Wanted("tokenizer", settings.path, "model", settings.revision, ("*token*",))


def wanted_models(grid: Grid) -> list[Wanted]:
    """The models that the grid did not train and that are no folders."""
    return [
        Wanted(f"models.{name}", settings.path, "model", settings.revision, patterns)
        for name, settings in grid.imported.items()
        if not Path(settings.path).is_dir()
        for patterns in (imported.WEIGHTS, imported.THE_REST)
    ]


def chosen(want: Wanted, listing: Listing) -> Listing:
    """The files of a repository that are wanted.

    Raises:
        UserError: there are none.
    """
    files = {path: listing[path] for path in reading.matching(list(listing), want.patterns)}
    if not files:
        raise UserError(f"{want.key}: found no {' or '.join(want.patterns)} in the repository {want.repository}")
    return files


@cache
def listing(repository: str, kind: str, revision: str) -> Listing:
    """All files of a repository."""
    from huggingface_hub import HfApi

    try:
        entries = HfApi().list_repo_tree(repository, recursive=True, revision=revision, repo_type=kind)
        return {entry.path: entry.size for entry in entries if hasattr(entry, "size")}
    except Exception as error:
        raise UserError(
            f"the repository {repository} ({revision}) cannot be listed "
            f"({type(error).__name__}: {' '.join(str(error).split())[:200]}), allowed: network, a name that exists, "
            "HF_ENDPOINT of a mirror, HF_TOKEN where a repository is gated"
        ) from None


def missing_bytes(folder: Path, files: Listing) -> Listing:
    """The files that are not in a folder in full."""

    def there(path: Path) -> int:
        return path.stat().st_size if path.is_file() else -1

    return {path: size for path, size in files.items() if there(folder / path) != size}


def fetch(grid: Grid, say: Callable[[str], None] = print) -> None:
    """Print and fetch all files that the grid needs into its `data` folder."""
    from huggingface_hub import hf_hub_download

    data = Path(grid.file.data)
    wants = wanted(grid) + [want for want in [wanted_tokenizer(grid)] if want] + wanted_models(grid)
    todo = []
    for want in dict.fromkeys(wants):
        folder = data / want.repository
        files = chosen(want, listing(want.repository, want.kind, want.revision))
        left = missing_bytes(folder, files)
        say(f"{want.key}: {want.repository} ({want.revision}), {len(files)} files, {_size(sum(files.values()))}")
        for path, size in files.items():
            say(f"  {folder / path}  {_size(size)}{'' if path in left else '  (there)'}")
        todo += [(want, path, size) for path, size in left.items()]
    total, done = sum(size for *_, size in todo), 0
    say(f"to fetch: {len(todo)} files, {_size(total)}")
    progress = Progress(total, "byte")
    for want, path, size in todo:
        hf_hub_download(
            want.repository,
            path,
            repo_type=want.kind,
            revision=want.revision,
            local_dir=data / want.repository,
        )
        done += size
        progress.update(done)


def missing(
    grid: Grid, sources: Iterable[str], questions: Iterable[tuple[str, str]], tokenizer: bool, models: bool = False
) -> list[str]:
    """One line for each source, question set, tokenizer or imported model that jobs are about to read and that is
    nowhere.

    Looks at files here, and asks the hub once whether it can be reached; what it has is seen by the jobs.
    """
    lines, on_hub = [], []
    data = grid.file.data
    places = [(f"corpora.{n}", grid.file.corpora[n], None) for n in sorted(set(sources))]
    places += [(f"question_sets.{n}", grid.file.question_sets[n], split) for n, split in sorted(set(questions))]
    for key, settings, split in places:
        if settings.kind != "hub":
            continue
        known = CORPORA[settings.dataset] if split is None else QUESTION_SETS[settings.dataset]
        patterns = known.patterns if split is None else known.patterns[split]
        place = hub.root(settings, known.repository, data)
        if "://" in place:
            on_hub.append((key, place, known.repository, patterns))
        elif not reading.find(place, patterns):
            lines.append(hub.missing(key, place, "nothing there", known.repository, patterns, data))
    need_tokenizer = tokenizer and wanted_tokenizer(grid) and not (Path(data) / grid.file.tokenizer.path).is_dir()
    need_models = [
        (f"models.{name}", settings.path)
        for name, settings in grid.imported.items()
        if models and not imported.here(settings.path, data)
    ]
    if (on_hub or need_tokenizer or need_models) and (reason := unreachable()):
        lines += [
            hub.missing(key, place, reason, repository, patterns, data) for key, place, repository, patterns in on_hub
        ]
        if need_tokenizer:
            lines.append(f"{hub.missing_tokenizer(grid.file.tokenizer, data)} ({reason})")
        lines += [imported.missing(key, path, data, reason) for key, path in need_models]
    return lines


def unreachable() -> str | None:
    """Why the hub cannot be reached, or None."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    try:
        urlopen(Request(constants.ENDPOINT, method="HEAD"), timeout=5)
    except HTTPError:
        pass  # it speaks
    except OSError:
        return f"{constants.ENDPOINT} cannot be reached"
    return None


def _size(count: int) -> str:
    return f"{count / 1e9:.3f} GB"
