"""Rows of data files, local or remote, in order and in parts: parquet, JSON lines (plain, .zst, .gz), JSON lists, CSV.

A single large file must be read by several jobs, where `datasets` splits text by files. The parts of a source are
stretches of it: joined in order they are the whole, however many there are. Memory is that of a few rows, each as long
as the caller allows.
"""

from __future__ import annotations

from collections.abc import Iterator

import fsspec

from echochamber.corpora import parquet_rows, text_rows
from echochamber.corpora.documents import BadRow
from echochamber.corpora.rows import LONGEST, DataFile, Row, guarded
from echochamber.jobs.downloads import matching


def find(root: str, patterns: tuple[str, ...]) -> list[DataFile]:
    """The files under a folder or URL that `matching` picks; none where there is nothing."""
    system, path = fsspec.core.url_to_fs(root)
    try:
        infos = system.find(path, detail=True)
    except FileNotFoundError:
        return []
    prefix = path.rstrip("/") + "/"
    sizes = {name.removeprefix(prefix): info["size"] for name, info in infos.items()}
    return [DataFile(f"{root.rstrip('/')}/{name}", sizes[name]) for name in matching(list(sizes), patterns)]


def rows(
    files: list[DataFile], columns: tuple[str, ...], part: int = 0, parts: int = 1, longest: int = LONGEST
) -> Iterator[Row | BadRow]:
    """The rows of one part of the files, or of all of them.

    Args:
        longest: bytes of a row (of a field, in Parquet and CSV); a longer one is a bad row.

    Raises:
        UserError: a file is cut off or damaged; the line names it and the last row before that.
    """
    if files and files[0].url.endswith(".parquet"):
        yield from parquet_rows.rows(files, columns, part, parts, longest)
        return
    total = sum(file.size for file in files)
    begin, end = part * total // parts, (part + 1) * total // parts
    before = 0
    for file in files:
        # A row belongs to the part in which it begins; all rows of a file that cannot be entered, to that of the first.
        if file.url.endswith(".jsonl"):
            if before < end and begin < before + file.size:
                yield from guarded(text_rows.lines(file, max(begin - before, 0), end - before, longest), file)
        elif begin <= before < end:
            yield from guarded(text_rows.whole(file, longest), file)
        before += file.size
