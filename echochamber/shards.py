"""Documents as memory-mapped token ids.

A corpus folder holds, for the training documents and for the held-out ones,

    train.bin, held_out.bin                  token ids of all documents, each ended by the end token
    train.offsets.npy, held_out.offsets.npy  int64, (documents + 1,): where each document begins, and the end
    manifest.json                            counts, bad rows by reason, checksums

Imports `tokenizers` but not `transformers`, and no torch: tokenising starts at once.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from echochamber import files
from echochamber.corpora.documents import Document


def encode(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    """Token ids of texts, as they are: nothing added, and a written-out "</s>" is text, not the end token."""
    before, tokenizer.encode_special_tokens = tokenizer.encode_special_tokens, True
    try:
        return [encoding.ids for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]
    finally:
        tokenizer.encode_special_tokens = before


def write_corpus(
    documents: Iterator[Document],
    tokenizer: Tokenizer,
    end: int,
    folder: Path,
    held_out: int,
    max_tokens: int | None = None,
) -> dict:
    """Tokenise documents into `folder`; the first `held_out` ones are never trained on. Constant memory.

    Args:
        end: id of the end token.
        max_tokens: upper limit on the tokens to train on, end tokens included: documents that fit, in order.

    Returns:
        The manifest.
    """
    bad: Counter[str] = Counter()
    good = (document for document in documents if _is_good(document, bad))
    vocabulary = tokenizer.get_vocab_size()
    dtype = np.dtype(np.uint16 if vocabulary <= 2**16 else np.uint32)
    manifest = {"dtype": dtype.name, "vocabulary": vocabulary}
    for part, chosen in (("held_out", islice(good, held_out)), ("train", good)):
        limit = max_tokens if part == "train" else None
        manifest[part] = _write_part(chosen, tokenizer, end, folder, part, dtype, limit)
    manifest["bad_rows"] = dict(sorted(bad.items()))
    files.write_json(folder / "manifest.json", manifest)
    return manifest


def _is_good(document: Document, bad: Counter[str]) -> bool:
    if not isinstance(document.text, str):
        bad["not text"] += 1
    elif not document.text.strip():
        bad["empty"] += 1
    else:
        return True
    return False


def _write_part(
    documents: Iterable[Document],
    tokenizer: Tokenizer,
    end: int,
    folder: Path,
    part: str,
    dtype: np.dtype,
    max_tokens: int | None,
) -> dict:
    offsets = [0]
    digest = hashlib.sha256()
    stream = iter(documents)

    def write(aside: Path) -> None:
        with aside.open("wb") as out:
            while batch := list(islice(stream, 1000)):
                rows = encode(tokenizer, [document.text for document in batch])
                ends = offsets[-1] + np.cumsum([len(row) + 1 for row in rows])
                fit = len(rows) if max_tokens is None else int(np.searchsorted(ends, max_tokens, side="right"))
                flat = np.array([token for row in rows[:fit] for token in (*row, end)], dtype=dtype)
                digest.update(flat)
                out.write(flat)
                offsets.extend(ends[:fit])
                if fit < len(rows):
                    return

    files.write_aside(folder / f"{part}.bin", write)
    files.write_aside(folder / f"{part}.offsets.npy", lambda aside: np.save(aside, np.array(offsets, dtype=np.int64)))
    return {"documents": len(offsets) - 1, "tokens": int(offsets[-1]), "sha256": digest.hexdigest()}


class Corpus:
    """Read access to one part of a corpus folder; nothing is loaded before it is asked for."""

    def __init__(self, folder: Path, part: str = "train") -> None:
        self.manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        self.offsets = np.load(folder / f"{part}.offsets.npy", mmap_mode="r")
        path = folder / f"{part}.bin"
        empty = path.stat().st_size == 0
        self.tokens = (
            np.empty(0, self.manifest["dtype"]) if empty else np.memmap(path, self.manifest["dtype"], mode="r")
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def document(self, index: int) -> np.ndarray:
        """Token ids of one document, end token included."""
        return self.tokens[self.offsets[index] : self.offsets[index + 1]]

    def lengths(self) -> np.ndarray:
        """Tokens of every document: int64, (documents,)."""
        return np.diff(self.offsets)
