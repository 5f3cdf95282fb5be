"""What a grid needs from the Hugging Face hub: which files, whether they are there, and fetching them.

`wanted` and `chosen` are pure; `listing`, `fetch` and `unreachable` touch the network. A file that is there in full is
not fetched again; half a file is never taken for one, nor some files for a set (`jobs.downloads`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from echochamber.corpora import locations, reading
from echochamber.corpora.locations import Location
from echochamber.data.fetching import Wish, fetch_all, refuse_full_disk
from echochamber.errors import UserError
from echochamber.grid.expansion import Grid
from echochamber.jobs import downloads
from echochamber.jobs.downloads import File
from echochamber.jobs.job import Progress
from echochamber.models import imported
from echochamber.settings import HubTokenizer

Listing = dict[str, File]
"""Path in a repository -> file."""


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
    """As `downloads.matching` takes them."""


def wanted(
    grid: Grid, sources: Iterable[str] | None = None, questions: Iterable[tuple[str, str]] | None = None
) -> list[Wanted]:
    """What the grid takes from the hub, without what its `path` settings say lies elsewhere.

    Args:
        sources, questions: only these corpora and (question set, split); none: all that the grid's jobs read.
    """
    files = _locations(
        grid, grid.read_corpora if sources is None else sources, grid.question_files if questions is None else questions
    )
    return [
        Wanted(one.key, one.repository, "dataset", one.revision, one.patterns)
        for one in files
        if one.repository and not one.path
    ]


def _locations(grid: Grid, sources: Iterable[str], questions: Iterable[tuple[str, str]]) -> list[Location]:
    """Where the files of corpora and of splits of question sets lie."""
    each = [locations.of_source(name, grid.file.corpora[name]) for name in sources]
    each += [locations.of_questions(name, grid.file.question_sets[name], split) for name, split in questions]
    return [location for location in each if location]


def wanted_tokenizer(grid: Grid) -> Wanted | None:
    """The grid's tokenizer, if it is a repository of the hub."""
    settings = grid.file.tokenizer
    if not isinstance(settings, HubTokenizer) or Path(settings.path).is_dir():
        return None
    return Wanted("tokenizer", settings.path, "model", settings.revision, imported.TOKENIZER)


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
    files = {path: listing[path] for path in downloads.matching(listing, want.patterns)}
    if not files:
        raise UserError(f"{want.key}: found no {' or '.join(want.patterns)} in the repository {want.repository}")
    return files


@cache
def listing(repository: str, kind: str, revision: str) -> Listing:
    """All files of a repository, as they are at the commit that a revision stands for now."""
    from huggingface_hub import HfApi, RepoFile

    try:
        info = HfApi().repo_info(repository, revision=revision, repo_type=kind)
        if getattr(info, "gated", False):  # its files are listed to everybody, and given to some
            HfApi().auth_check(repository, repo_type=kind)
        commit = info.sha or revision
        entries = HfApi().list_repo_tree(repository, recursive=True, revision=commit, repo_type=kind)
        return {
            entry.path: File(entry.size, entry.lfs.sha256 if entry.lfs else entry.blob_id, commit)
            for entry in entries
            if isinstance(entry, RepoFile)
        }
    except Exception as error:
        raise UserError(
            f"the repository {repository} ({revision}) cannot be listed "
            f"({type(error).__name__}: {' '.join(str(error).split())[:200]}), allowed: network, a name that exists, "
            "HF_ENDPOINT of a mirror, HF_TOKEN where a repository is gated"
        ) from None


def not_here(folder: Path, wanted: Listing) -> Listing:
    """The files that are not in a folder in full, or were fetched of another commit at which they were others."""
    before = downloads.read_listing(folder)
    return {
        path: file
        for path, file in wanted.items()
        if not downloads.is_whole(folder / path, file) or (path in before and before[path].id != file.id)
    }


def fetch(grid: Grid, stop: Callable[[], bool] = lambda: False, say: Callable[[str], None] = print) -> None:
    """Print and fetch all files that the grid needs into its `data` folder, the listing of each repository first.

    The tokenizer comes before the corpora, which would be of no use without it.

    Raises:
        UserError: repositories that cannot be had, a line each and before any file is fetched; a file that cannot be
            had; a disk that is too small.
        Interrupted: `stop()` turned true.
    """
    data = Path(grid.file.data)
    wants = [want for want in [wanted_tokenizer(grid)] if want] + wanted(grid) + wanted_models(grid)
    todo: list[Wish] = []
    for want, files in _listed(list(dict.fromkeys(wants))):
        folder = data / want.repository
        left = not_here(folder, files)
        commit = next(iter(files.values())).commit
        say(
            f"{want.key}: {want.repository} ({want.revision}, commit {commit[:12]}), {len(files)} files, "
            f"{_size(sum(file.size for file in files.values()))}"
        )
        for path, file in files.items():
            say(f"  {folder / path}  {_size(file.size)}{'' if path in left else '  (there)'}")
            if path in left and downloads.is_whole(folder / path, file):
                (folder / path).unlink()  # another file of equal size: once the listing is new, nothing would tell
        downloads.write_listing(folder, downloads.read_listing(folder) | files)
        todo += [Wish(want.key, want.repository, want.kind, path, file, folder) for path, file in left.items()]
    todo = list({(wish.folder, wish.path): wish for wish in todo}.values())  # two keys may want one file
    total = sum(wish.left for wish in todo)
    say(f"to fetch: {len(todo)} files, {_size(total)}")
    refuse_full_disk(data, todo)
    progress, done = Progress(total, "byte"), 0
    left_of = {wish: wish.left for wish in todo}
    for wish in fetch_all(todo, stop):
        done += left_of[wish]
        progress.update(done)


def _listed(wants: list[Wanted]) -> list[tuple[Wanted, Listing]]:
    """The files of each.

    Raises:
        UserError: a line each for those that cannot be had; for the first alone where it is the tokenizer, or where
            the hub does not answer.
    """
    listed: list[tuple[Wanted, Listing]] = []
    refused: dict[str, str] = {}
    for want in wants:
        try:
            listed.append((want, chosen(want, listing(want.repository, want.kind, want.revision))))
        except UserError as error:
            refused.setdefault(want.repository, str(error))
            if want.key == "tokenizer" or unreachable():
                break
    if refused:
        raise UserError("\n".join(refused.values()))
    return listed


def missing(
    grid: Grid, sources: Iterable[str], questions: Iterable[tuple[str, str]], tokenizer: bool, models: bool = False
) -> list[str]:
    """One line for each source, question set, tokenizer or imported model that jobs are about to read and that is
    nowhere, or here in part.

    Looks at files here, and asks the hub once whether it can be reached; what it has is seen by the jobs.
    """
    lines: list[str | None] = []
    on_hub: list[Location] = []
    data = grid.file.data
    for location in _locations(grid, sorted(set(sources)), sorted(set(questions))):
        root = location.root(data)
        if "://" in root:
            on_hub.append(location)
        elif not reading.find(root, location.patterns):
            lines.append(location.missing(data))
        else:
            lines.append(downloads.incomplete(location.key, Path(root), location.patterns))
    ready = grid.file.tokenizer
    need_tokenizer = tokenizer and wanted_tokenizer(grid) is not None
    if need_tokenizer and isinstance(ready, HubTokenizer) and (folder := Path(data) / ready.path).is_dir():
        need_tokenizer = False
        lines.append(downloads.incomplete("tokenizer.path", folder, imported.TOKENIZER))
    if models:
        folders = {name: imported.here(settings.path, data) for name, settings in grid.imported.items()}
        lines += [imported.incomplete(f"models.{name}", folder) for name, folder in folders.items() if folder]
    need_models = [
        (f"models.{name}", settings.path)
        for name, settings in grid.imported.items()
        if models and not imported.here(settings.path, data)
    ]
    if (on_hub or need_tokenizer or need_models) and (reason := unreachable()):
        lines += [location.missing(data, reason) for location in on_hub]
        if need_tokenizer and isinstance(ready, HubTokenizer):
            lines.append(f"{locations.missing_tokenizer(ready, data)} ({reason})")
        lines += [imported.missing(key, path, data, reason) for key, path in need_models]
    return [line for line in lines if line]


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
