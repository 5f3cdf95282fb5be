"""Rows of Parquet files, in order and in parts.

By `pyarrow` itself, where `datasets` streams the same rows but cannot say in which file and row it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fsspec

from echochamber.corpora.documents import BadRow
from echochamber.corpora.rows import DAMAGE, DataFile, Row, guarded

_BATCH_BYTES = 1 << 24
_BATCH_ROWS = 1000


def rows(
    files: list[DataFile], columns: tuple[str, ...], part: int, parts: int, longest: int
) -> Iterator[Row | BadRow]:
    """The rows of one part: a stretch of the files, or of their groups of rows where parts outnumber files."""
    if parts <= len(files):
        for file in _stretch(files, part, parts):
            yield from guarded(_groups(file, columns, longest, None), file)
        return
    groups = [(file, group) for file in files for group in range(_count(file))]
    for file, group in _stretch(groups, part, parts):
        yield from guarded(_groups(file, columns, longest, group), file)


def _stretch(items: list[Any], part: int, parts: int) -> list[Any]:
    """As `datasets` cuts: the first parts have one more where it does not come out even."""
    size, more = divmod(len(items), parts)
    begin = part * size + min(part, more)
    return items[begin : begin + size + (part < more)]


def _count(file: DataFile) -> int:
    """The groups of rows of a file; one, which then says what is wrong, of a file that cannot be read."""
    import pyarrow.parquet as pq

    try:
        with fsspec.open(file.url) as raw:
            return pq.read_metadata(raw).num_row_groups
    except DAMAGE:
        return 1


def _groups(file: DataFile, columns: tuple[str, ...], longest: int, only: int | None) -> Iterator[Row | BadRow]:
    import pyarrow.parquet as pq

    with fsspec.open(file.url) as raw:
        table = pq.ParquetFile(raw, buffer_size=1 << 20)
        present = table.schema_arrow.names
        names = [name for name in present if name in columns] or present  # a missing one is a matter of its rows
        number = 0
        for group in range(table.num_row_groups):
            size = table.metadata.row_group(group)
            if only in (None, group):
                many = _BATCH_BYTES * size.num_rows // max(size.total_byte_size, 1)
                for batch in table.iter_batches(min(max(many, 1), _BATCH_ROWS), [group], names, use_threads=False):
                    yield from _batch(batch, file.url, number, longest)
                    number += batch.num_rows
            else:
                number += size.num_rows


def _batch(batch: Any, name: str, before: int, longest: int) -> Iterator[Row | BadRow]:
    import pyarrow as pa
    import pyarrow.compute as pc

    columns, long = [], [False] * batch.num_rows
    for column in batch.columns:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            # As bytes: one text that is not UTF-8 must not cost the whole batch.
            column = column.cast(pa.large_binary())
            too_long = pc.fill_null(pc.greater(pc.binary_length(column), longest), False)
            if pc.any(too_long).as_py():
                long = [a or b for a, b in zip(long, too_long.to_pylist(), strict=True)]
                column = pc.if_else(too_long, pa.scalar(None, pa.large_binary()), column)
        columns.append(column.to_pylist())
    names = batch.schema.names
    for i, values in enumerate(zip(*columns, strict=True)):
        location = f"{name} row {before + i + 1}"
        if long[i]:
            yield BadRow("too long", location)
            continue
        try:
            texts = [value.decode() if isinstance(value, bytes) else value for value in values]
        except UnicodeDecodeError:
            yield BadRow("not UTF-8", location)
        else:
            yield Row(dict(zip(names, texts, strict=True)), location)
