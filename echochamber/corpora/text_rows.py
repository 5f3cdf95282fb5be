"""Rows of text files: JSON lines (plain, .zst, .gz), JSON lists, CSV. A byte-order mark at the start is passed over.

A broken line costs that line only, where `datasets` gives up the file. Where nothing says where the next row begins (a
list, a CSV file with a quote that is never closed) the file is damaged: `ValueError`, which `rows.guarded` words.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import Any, BinaryIO

import fsspec
import zstandard

from echochamber.corpora.documents import BadRow
from echochamber.corpora.rows import DataFile, Row

_CHUNK = 1 << 20
_FEW = 1 << 12
"""Bytes of zstd that are decoded at once: 4 of them can stand for 128 KiB."""


def lines(file: DataFile, begin: int, end: int, longest: int) -> Iterator[Row | BadRow]:
    """The rows of a file of plain JSON lines that begin in [begin, end), in bytes."""
    with fsspec.open(file.url) as raw:
        data = _buffered(raw)
        offset, number = begin, 0
        if begin:
            data.seek(begin - 1)
            offset += _line(data, 0)[1] - 1  # the rest of a line that begins before, if only its line break
        while offset < end:
            line, size = _line(data, longest)
            if not size:
                return
            number += 1
            counted = f" line {number}," if not begin else ""  # a part that begins later has not counted
            yield from _parsed(line, offset == 0, f"{file.url}{counted} byte {offset}")
            offset += size


def whole(file: DataFile, longest: int) -> Iterator[Row | BadRow]:
    """The rows of a file that cannot be entered but at its beginning."""
    with fsspec.open(file.url) as raw:
        data, name = _buffered(raw), file.url
        if name.endswith(".zst"):
            data, name = io.BufferedReader(_Zstd(data), _CHUNK), name.removesuffix(".zst")
        elif name.endswith(".gz"):
            data, name = gzip.GzipFile(fileobj=data), name.removesuffix(".gz")
        if name.endswith(".csv"):
            yield from _csv(data, file.url, longest)
        elif name.endswith(".json"):
            yield from _list(data, file.url, longest)
        else:
            number = 0
            while True:
                line, size = _line(data, longest)
                if not size:
                    return
                number += 1
                yield from _parsed(line, number == 1, f"{file.url} line {number}")


def _buffered(raw: Any) -> BinaryIO:
    """A file of `fsspec` with a `readline` that takes a limit."""
    return raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(raw, _CHUNK)


class _Zstd(io.RawIOBase):
    """The content of all frames of a zstd file.

    By hand: `fsspec` stops at the end of the first of several frames, `zstandard.stream_reader` takes a file that is
    cut off for one that ends there.
    """

    def __init__(self, raw: BinaryIO) -> None:
        self.raw, self.left, self.coded = raw, b"", b""
        self.decoder = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.left:
            self.coded = self.coded or self.raw.read(_FEW)
            if not self.coded:
                if self.decoder:
                    raise EOFError("a frame of zstd without its end")
                return 0
            self.decoder = self.decoder or zstandard.ZstdDecompressor().decompressobj()
            self.left = self.decoder.decompress(self.coded)
            self.coded = b""
            if self.decoder.eof:
                self.coded, self.decoder = self.decoder.unused_data, None
        size = min(len(buffer), len(self.left))
        buffer[:size], self.left = self.left[:size], self.left[size:]
        return size


def _line(data: BinaryIO, longest: int) -> tuple[bytes | None, int]:
    """The next line, None in place of a longer one, and its size in bytes: 0 at the end of the file."""
    line = data.readline(longest + 1)
    size = len(line)
    if size <= longest or line.endswith(b"\n"):
        return line, size
    while rest := data.readline(_CHUNK):
        size += len(rest)
        if rest.endswith(b"\n"):
            break
    return None, size


def _parsed(line: bytes | None, first: bool, location: str) -> Iterator[Row | BadRow]:
    if line is None:
        yield BadRow("too long", location)
        return
    line = line.removeprefix(BOM_UTF8) if first else line
    if not line or line.isspace():
        return
    try:
        row = json.loads(line.decode())
    except UnicodeDecodeError:
        yield BadRow("not UTF-8", location)
    except RecursionError:
        yield BadRow("nested too deeply", location)
    except ValueError:
        yield BadRow("not JSON", location)
    else:
        yield Row(row, location) if isinstance(row, dict) else BadRow("not JSON", location)


def _csv(data: BinaryIO, name: str, longest: int) -> Iterator[Row | BadRow]:
    text = io.TextIOWrapper(data, encoding="utf-8-sig", errors="surrogateescape", newline="")

    def bounded() -> Iterator[str]:
        while line := text.readline(longest + 1):
            if len(line) > longest:
                raise csv.Error(f"a line longer than {longest} characters")
            yield line

    csv.field_size_limit(longest)
    table = csv.DictReader(bounded(), strict=True)
    number = 0
    try:
        for number, row in enumerate(table, 1):
            location = f"{name} row {number}"
            yield BadRow("more fields than columns", location) if None in row else Row(row, location)
    except csv.Error as error:
        raise ValueError(f"row {number + 1}: {error}") from None


def _list(data: BinaryIO, name: str, longest: int) -> Iterator[Row | BadRow]:
    """The items of a JSON list, one after the other, never the whole list in memory."""
    text, offset, number = "", 0, 0
    source = io.TextIOWrapper(data, encoding="utf-8-sig", errors="surrogateescape")
    decoder, opened = json.JSONDecoder(), False
    while True:
        chunk = source.read(_CHUNK)
        text, offset = text[offset:] + chunk, 0
        while True:
            while offset < len(text) and text[offset] in " \t\r\n,":
                offset += 1
            if offset == len(text):
                break
            if text[offset] == "[" and not number and not opened:
                opened, offset = True, offset + 1
                continue
            if text[offset] == "]" and opened:
                if text[offset + 1 :].strip() or source.read(_CHUNK).strip():
                    raise ValueError("text behind the list")
                return
            try:
                row, offset = decoder.raw_decode(text, offset)
            except RecursionError:
                raise ValueError(f"item {number + 1} is nested too deeply") from None
            except ValueError:
                if not chunk:
                    raise ValueError(f"item {number + 1} is not JSON, or not whole") from None
                if len(text) - offset > longest:
                    raise ValueError(f"item {number + 1} is not JSON, or longer than {longest} characters") from None
                break  # cut off by the end of the chunk
            number += 1
            location = f"{name} item {number}"
            yield Row(row, location) if isinstance(row, dict) else BadRow("not JSON", location)
        if not chunk:
            if opened:
                raise ValueError("a list without its end")
            return
