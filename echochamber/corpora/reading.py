"""Rows of data files, local or remote, in order and in parts: parquet, JSON lines (plain, .zst, .gz), JSON lists, CSV.

Parquet is streamed by `datasets`. Text files are read here, since a broken line must cost that line only, where
`datasets` gives up the file, and a single large file must be read by several jobs, where `datasets` splits by files.

The parts of a source are stretches of it: joined in order they are the whole, however many there are. Memory is that of
a few thousand rows.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import fsspec
import zstandard

from echochamber.corpora.documents import BadRow

Row = dict[str, Any] | BadRow

_CHUNK = 1 << 20
_BATCH = 1000


@dataclass(frozen=True)
class DataFile:
    """One file."""

    url: str
    """A path, or a URL that `fsspec` understands."""
    size: int
    """In bytes."""


def matching(paths: list[str], patterns: tuple[str, ...]) -> list[str]:
    """The paths, sorted, that the first pattern matches that matches any."""
    return next(filter(None, (sorted(p for p in paths if fnmatchcase(p, pattern)) for pattern in patterns)), [])


def find(root: str, patterns: tuple[str, ...]) -> list[DataFile]:
    """The files under a folder or URL that `matching` picks; none where there is nothing."""
    system, path = fsspec.core.url_to_fs(root)
    try:
        found = system.find(path, detail=True)
    except FileNotFoundError:
        return []
    prefix = path.rstrip("/") + "/"
    sizes = {name.removeprefix(prefix): info["size"] for name, info in found.items()}
    return [DataFile(f"{root.rstrip('/')}/{name}", sizes[name]) for name in matching(list(sizes), patterns)]


def rows(files: list[DataFile], columns: tuple[str, ...], part: int = 0, parts: int = 1) -> Iterator[Row]:
    """The rows of one part of the files, or of all of them."""
    if files and files[0].url.endswith(".parquet"):
        yield from _parquet(files, columns, part, parts)
        return
    total = sum(file.size for file in files)
    begin, end = part * total // parts, (part + 1) * total // parts
    before = 0
    for file in files:
        # A row belongs to the part in which it begins; all rows of a file that cannot be entered, to that of the first.
        if file.url.endswith(".jsonl"):
            if before < end and begin < before + file.size:
                yield from _lines(file, max(begin - before, 0), end - before)
        elif begin <= before < end:
            yield from _whole(file)
        before += file.size


def _parquet(files: list[DataFile], columns: tuple[str, ...], part: int, parts: int) -> Iterator[Row]:
    import pyarrow as pa
    from datasets import load_dataset
    from datasets.utils.logging import set_verbosity_error

    set_verbosity_error()  # job.Progress tells what there is to tell
    stream = load_dataset(
        "parquet",
        data_files=[file.url for file in files],
        split="train",
        streaming=True,
        columns=_present(files, columns),
    )
    if parts > stream.num_shards:
        stream = stream.reshard()  # by groups of rows instead of by files
    if part >= stream.num_shards:
        return  # there are fewer groups than parts
    stream = stream.shard(parts, part, contiguous=True) if parts > 1 else stream
    number = 0
    for table in stream.with_format("arrow").iter(_BATCH):
        # As bytes: one text that is not UTF-8 must not cost the whole batch.
        found = {}
        for name in table.column_names:
            column = table[name]
            text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
            found[name] = (column.cast(pa.large_binary()) if text else column).to_pylist()
        for values in zip(*found.values(), strict=True):
            number += 1
            try:
                yield {n: v.decode() if isinstance(v, bytes) else v for n, v in zip(found, values, strict=True)}
            except UnicodeDecodeError:
                yield BadRow("not UTF-8", f"row {number} of part {part} of {parts}")


def _present(files: list[DataFile], columns: tuple[str, ...]) -> list[str]:
    """The columns that there are: a missing one is a matter of its rows."""
    import pyarrow.parquet as pq

    with fsspec.open(files[0].url) as file:
        names = pq.read_schema(file).names
    return [name for name in names if name in columns] or names


def _lines(file: DataFile, begin: int, end: int) -> Iterator[Row]:
    """The lines of a file that begin in [begin, end), in bytes."""
    with fsspec.open(file.url) as lines:
        place = begin
        if begin:
            lines.seek(begin - 1)
            place += len(lines.readline()) - 1  # the rest of a line that begins before, if only its line break
        while place < end and (line := lines.readline()):
            yield from _parsed(line, f"{file.url} byte {place}")
            place += len(line)


def _whole(file: DataFile) -> Iterator[Row]:
    with fsspec.open(file.url) as raw:
        data, name = raw, file.url
        if name.endswith(".zst"):
            # By hand, since fsspec would stop at the end of the first of several frames.
            data = io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True))
            name = name.removesuffix(".zst")
        elif name.endswith(".gz"):
            data, name = gzip.GzipFile(fileobj=raw), name.removesuffix(".gz")
        if name.endswith(".csv"):
            yield from csv.DictReader(io.TextIOWrapper(data, encoding="utf-8", newline=""))
        elif name.endswith(".json"):
            yield from _list(data, file.url)
        else:
            for number, line in enumerate(data, 1):
                yield from _parsed(line, f"{file.url} line {number}")


def _parsed(line: bytes, place: str) -> Iterator[Row]:
    if line.isspace():
        return
    try:
        row = json.loads(line.decode())
    except UnicodeDecodeError:
        yield BadRow("not UTF-8", place)
        return
    except ValueError:
        row = None
    yield row if isinstance(row, dict) else BadRow("not JSON", place)


def _list(data: Any, name: str) -> Iterator[Row]:
    """The items of a JSON list, one after the other, never the whole list in memory."""
    text, place, number = "", 0, 0
    decoder, source = json.JSONDecoder(), io.TextIOWrapper(data, encoding="utf-8", errors="surrogateescape")
    while True:
        chunk = source.read(_CHUNK)
        text, place = text[place:] + chunk, 0
        while True:
            while place < len(text) and text[place] in " \t\r\n[,":
                place += 1
            if place == len(text) or text[place] == "]":
                break
            try:
                row, place = decoder.raw_decode(text, place)
            except ValueError:
                if not chunk:
                    yield BadRow("not JSON", f"{name} item {number + 1}")
                    return
                break  # cut off by the end of the chunk
            number += 1
            yield row if isinstance(row, dict) else BadRow("not JSON", f"{name} item {number}")
        if not chunk:
            return
