"""Documents as memory-mapped token ids.

A corpus folder holds

    shards/<i>-of-<n>.bin           token ids of a stretch of the documents, each ended by the end token
    shards/<i>-of-<n>.offsets.npy   int64, (documents + 1,): where each document begins, and the end
    shards/<i>-of-<n>.json          its counts, bad rows by reason, checksum
    manifest.json                   the same of the whole, and what is held out

Shards are made by jobs of their own. Joined in order they are the same documents, the same stream of tokens, whatever
their number, and so is the part that is held out: the first documents of the source.

Imports `tokenizers` but not `transformers`, and no torch: tokenising starts at once.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from echochamber.corpora.documents import BadRow, Document, flaw
from echochamber.errors import UserError
from echochamber.jobs import files
from echochamber.models.encoding import encode

log = logging.getLogger(__name__)

BATCH = 1000
"""Documents that are encoded at once."""
EXAMPLES = 5
"""Bad rows of a shard that are named."""


def write_shard(
    documents: Iterator[Document | BadRow],
    tokenizer: Tokenizer,
    end: int,
    folder: Path,
    shard: int = 0,
    shards: int = 1,
    held_out: int = 0,
    max_tokens: int | None = None,
    leave_out: Callable[[list[str]], np.ndarray] | None = None,
    progress: Callable[[int], None] = lambda tokens: None,
    about: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Tokenise one stretch of documents into `folder`. Constant memory but for 8 bytes a document.

    Args:
        end: id of the end token.
        held_out, max_tokens: as of `write_manifest`; no more than it can need is written.
        leave_out: which of some documents are to be left out (bool); they are counted as contaminated.
        progress: called now and then with the tokens so far.
        about: what its manifest is to say besides (`data.origins`).

    Returns:
        The shard's manifest.

    Raises:
        UserError: all of the first rows are bad.
    """
    path = folder / "shards" / files.part_name(shard, shards)
    rows = _Rows(documents, leave_out)
    offsets = [np.zeros(1, dtype=np.int64)]
    digest = hashlib.sha256()
    vocabulary = tokenizer.get_vocab_size()
    dtype = np.dtype(np.uint16 if vocabulary <= 2**16 else np.uint32)

    def write(aside: Path) -> None:
        written, tokens, held_tokens = 0, 0, 0
        with aside.open("wb") as out:
            for texts in rows.batches(folder):
                flat, ends = _join(encode(tokenizer, texts), end, dtype)
                digest.update(flat.data)
                out.write(flat.data)
                offsets.append(tokens + ends)
                if len(ends) and written < held_out:
                    held_tokens = tokens + int(ends[: held_out - written][-1])
                written += len(ends)
                tokens += len(flat)
                progress(tokens)
                if max_tokens is not None and written >= held_out and tokens - held_tokens >= max_tokens:
                    return

    files.write_aside(path.with_name(path.name + ".bin"), write)
    all_offsets = np.concatenate(offsets)
    files.write_aside(path.with_name(path.name + ".offsets.npy"), lambda aside: np.save(aside, all_offsets))
    manifest: dict[str, Any] = {"name": path.name, "documents": len(all_offsets) - 1, "tokens": int(all_offsets[-1])}
    manifest |= {"sha256": digest.hexdigest(), "dtype": dtype.name, "vocabulary": vocabulary}
    manifest |= {"bad_rows": dict(sorted(rows.bad.items())), "bad_row_examples": rows.examples}
    manifest |= {"contaminated": rows.left_out} | dict(about or {})
    files.write_json(path.with_name(path.name + ".json"), manifest)
    return manifest


def _join(ids: list[list[int]], end: int, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """Documents one after the other, each with its end token, and where each of them ends."""
    ends = np.array([len(row) + 1 for row in ids], dtype=np.int64).cumsum()
    flat = np.empty(ends[-1] if len(ends) else 0, dtype=dtype)
    for row, stop in zip(ids, ends.tolist(), strict=True):
        flat[stop - len(row) - 1 : stop - 1] = row
    flat[ends - 1] = end
    return flat, ends


class _Rows:
    """The texts of a source, and the count of what is no document or is to be left out."""

    def __init__(self, rows: Iterator[Document | BadRow], leave_out: Callable[[list[str]], np.ndarray] | None) -> None:
        self.rows, self.leave_out = rows, leave_out
        self.bad: Counter[str] = Counter()
        self.examples: list[str] = []
        self.left_out = 0

    def batches(self, folder: Path) -> Iterator[list[str]]:
        """Raises UserError, which names `folder`, if all of the first rows are bad."""
        first = True
        while batch := list(islice(self.rows, BATCH)):
            texts = list(self._texts(batch))
            if first and not texts and len(batch) == BATCH:
                raise UserError(
                    f"{folder}: found {BATCH} bad rows at the start ({self.examples[0]}), allowed: documents"
                )
            first = False
            if self.leave_out:
                hits = self.leave_out(texts)
                self.left_out += int(hits.sum())
                texts = [text for text, hit in zip(texts, hits, strict=True) if not hit]
            yield texts

    def _texts(self, batch: Iterable[Document | BadRow]) -> Iterator[str]:
        """The texts of the good rows; counts the others."""
        for row in batch:
            flawed = row if isinstance(row, BadRow) else _judge(row)
            if isinstance(row, Document) and flawed is None:
                yield row.text
            elif flawed is not None:
                self.bad[flawed.reason] += 1
                if len(self.examples) < EXAMPLES:
                    self.examples.append(f"{flawed.reason}: {flawed.location}")


def _judge(document: Document) -> BadRow | None:
    reason = flaw(document.text)
    return BadRow(reason, document.source) if reason else None


def write_manifest(
    folder: Path, shards: int, held_out: int, max_tokens: int | None = None, bad_rows: float = 1.0
) -> dict[str, Any]:
    """Join the shards of a corpus; the first `held_out` documents are never trained on.

    Args:
        max_tokens: upper limit on the tokens to train on, end tokens included: documents that fit, in order.
        bad_rows: share of rows that may be bad.

    Returns:
        The manifest.

    Raises:
        UserError: there are more bad rows.
    """
    parts = [
        json.loads((folder / "shards" / f"{files.part_name(i, shards)}.json").read_text(encoding="utf-8"))
        for i in range(shards)
    ]
    bad = sum((Counter(part["bad_rows"]) for part in parts), Counter())
    documents, dropped = (sum(part[key] for part in parts) for key in ("documents", "contaminated"))
    rows = documents + dropped + bad.total()
    if bad.total() > bad_rows * rows:
        examples = "; ".join([example for part in parts for example in part["bad_row_examples"]][:EXAMPLES])
        reasons = ", ".join(f"{reason} {count}" for reason, count in bad.most_common())
        raise UserError(
            f"{folder}: found {bad.total()} bad rows in {rows} ({reasons}; first: {examples}), "
            f"allowed: a share of {bad_rows:g} (bad_rows)"
        )
    manifest = {"dtype": parts[0]["dtype"], "vocabulary": parts[0]["vocabulary"]}
    manifest["shards"] = [{key: part[key] for key in ("name", "documents", "tokens", "sha256")} for part in parts]
    manifest |= {"bad_rows": dict(sorted(bad.items())), "contaminated": dropped, "rows": rows}
    read = {json.dumps(origin, sort_keys=True) for part in parts for origin in part.get("hub", [])}
    if read:
        manifest["hub"] = [json.loads(origin) for origin in sorted(read)]
    offsets = [np.load(folder / "shards" / f"{part['name']}.offsets.npy", mmap_mode="r") for part in parts]
    held = _part(offsets, documents=held_out)
    limit = None if max_tokens is None else held["tokens"] + max_tokens
    trained = _part(offsets, tokens=limit) if limit is not None else _part(offsets)
    manifest["held_out"] = held
    manifest["train"] = {key: max(trained[key] - held[key], 0) for key in held}
    files.write_json(folder / "manifest.json", manifest)
    return manifest


def _part(offsets: list[np.ndarray], documents: int | None = None, tokens: int | None = None) -> dict[str, int]:
    """Documents and tokens of the first documents of all shards: as many, or as many as fit into so many tokens."""
    totals = {"documents": 0, "tokens": 0}
    for shard_offsets in offsets:
        taken = len(shard_offsets) - 1
        if documents is not None:
            taken = min(taken, documents - totals["documents"])
        if tokens is not None:
            taken = int(np.searchsorted(shard_offsets, tokens - totals["tokens"], side="right")) - 1
        totals["tokens"] += int(shard_offsets[taken])
        totals["documents"] += taken
        if taken < len(shard_offsets) - 1:
            break
    return totals


def write_corpus(
    documents: Iterator[Document | BadRow],
    tokenizer: Tokenizer,
    end: int,
    folder: Path,
    held_out: int,
    max_tokens: int | None = None,
) -> dict[str, Any]:
    """A corpus of one shard; returns its manifest."""
    write_shard(documents, tokenizer, end, folder, held_out=held_out, max_tokens=max_tokens)
    return write_manifest(folder, 1, held_out, max_tokens)


def verify(folder: Path) -> None:
    """Compare the tokens on disk with the hashes of the corpus's manifest, at the speed of the disk.

    Raises:
        UserError: a shard is missing, or is not what was written.
    """
    manifest = folder / "manifest.json"
    for shard in json.loads(manifest.read_text(encoding="utf-8"))["shards"]:
        path = folder / "shards" / f"{shard['name']}.bin"
        remedy = f"as {manifest} says (`snakemake --force -- {path.with_suffix('.json')}` makes it again)"
        try:
            with path.open("rb") as tokens:
                digest = hashlib.file_digest(tokens, "sha256").hexdigest()
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror}), allowed: a shard {remedy}") from None
        if digest != shard["sha256"]:
            raise UserError(f"{path}: found the hash {digest[:12]}, allowed: {shard['sha256'][:12]}, {remedy}")


class Corpus:
    """Read access to one part of a corpus folder; nothing is loaded before it is asked for."""

    def __init__(self, folder: Path, part: str = "train") -> None:
        self.manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        held_out = self.manifest["held_out"]
        train = part == "train"
        self.first_document = held_out["documents"] if train else 0
        self.first_token = held_out["tokens"] if train else 0
        self.documents: int = self.manifest[part]["documents"]
        self.tokens: int = self.manifest[part]["tokens"]
        shards = [shard for shard in self.manifest["shards"] if shard["documents"]]
        paths = [folder / "shards" / shard["name"] for shard in shards]
        self._offsets = [np.load(f"{path}.offsets.npy", mmap_mode="r") for path in paths]
        self._ids = [np.memmap(f"{path}.bin", self.manifest["dtype"], mode="r") for path in paths]
        self._document_starts = np.cumsum([0, *(shard["documents"] for shard in shards)])
        self._token_starts = np.cumsum([0, *(shard["tokens"] for shard in shards)])

    def __len__(self) -> int:
        return self.documents

    def document(self, index: int) -> np.ndarray:
        """Token ids of one document, end token included."""
        global_index = index + self.first_document
        shard = int(np.searchsorted(self._document_starts, global_index, side="right")) - 1
        begin, end = self._offsets[shard][global_index - self._document_starts[shard] :][:2]
        return self._ids[shard][begin:end]

    def stream(self, begin: int, end: int) -> np.ndarray:
        """Token ids begin .. end - 1 of the documents joined in order."""
        begin, end = begin + self.first_token, end + self.first_token
        shard = int(np.searchsorted(self._token_starts, begin, side="right")) - 1
        parts = []
        while begin < end:
            start = self._token_starts[shard]
            parts.append(self._ids[shard][begin - start : end - start])
            begin += len(parts[-1])
            shard += 1
        return parts[0] if len(parts) == 1 else np.concatenate([*parts, np.empty(0, self.manifest["dtype"])])

    def starts(self, begin: int, end: int) -> np.ndarray:
        """Where documents start within `stream(begin, end)`, counted from its begin."""
        begin, end = begin + self.first_token, end + self.first_token
        first, last = (
            int(np.searchsorted(self._token_starts, token_index, side="right")) - 1 for token_index in (begin, end - 1)
        )
        document_starts = []
        for shard in range(first, last + 1):
            offsets, start = self._offsets[shard], self._token_starts[shard]
            among = slice(*np.searchsorted(offsets[:-1], [begin - start, end - start]))
            document_starts.append(offsets[among] + start - begin)
        return np.concatenate(document_starts)

    def lengths(self, documents: np.ndarray) -> np.ndarray:
        """Tokens of the documents with these numbers: int64."""
        global_indices = documents + self.first_document
        shards = np.searchsorted(self._document_starts, global_indices, side="right") - 1
        lengths = np.empty(len(global_indices), dtype=np.int64)
        for shard in np.unique(shards):
            chosen = shards == shard
            local = global_indices[chosen] - self._document_starts[shard]
            lengths[chosen] = self._offsets[shard][local + 1] - self._offsets[shard][local]
        return lengths

    def longest(self) -> int:
        """Tokens of the longest document; in blocks, so that memory does not grow with the corpus."""
        block = 1 << 16
        starts = range(0, len(self), block)
        return max((int(self.lengths(np.arange(b, min(b + block, len(self)))).max()) for b in starts), default=0)
