"""A tool while decoding: a closed code block is run in the sandbox, and its real output stands behind it.

As in documents of `omi1`: when a completion closes `<llm-code> ... </llm-code>`, all its closed blocks are run, as the
verifier runs them, and `<llm-code-output>`, what the last gives and `</llm-code-output>` are inserted, token by token,
in place of what was drawn. The model goes on behind them. Inserted tokens count for max_new_tokens.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from echochamber.models.encoding import encode
from echochamber.verify import programs
from echochamber.verify.answers import executed_text
from echochamber.verify.workers import sandbox

CLOSED = "</llm-code>"
TAIL = 2 * len(CLOSED)
"""Tokens at the end of a completion in which a tag that has just been closed stands."""
LONGEST = 400
"""Characters of an output."""
_TAG = re.compile(r"</?llm-code(?:-output)?>")


@dataclass
class _Row:
    """A completion so far, and what is still to be inserted into it."""

    ids: list[int] = field(default_factory=list)
    waiting: deque[int] = field(default_factory=deque)
    blocks: int = 0


class PythonTool:
    """Of one call of `generate`: it knows every completion by its slot."""

    def __init__(self, tokenizer: Any, ends: Sequence[int]) -> None:
        self.tokenizer, self.ends = tokenizer, frozenset(ends)
        words = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
        self.closing = {number for number, word in enumerate(words) if word and ">" in word}
        self.rows: dict[int, _Row] = {}

    def __call__(self, slots: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """The tokens that stand there, drawn or inserted, and which are inserted: (rows,) each."""
        stand, inserted = [], []
        for slot, token in zip(slots.tolist(), tokens.tolist(), strict=True):
            row = self.rows.setdefault(slot, _Row())
            inserted.append(bool(row.waiting))
            stand.append(row.waiting.popleft() if row.waiting else token)
            if not row.ids or row.ids[-1] not in self.ends:
                row.ids.append(stand[-1])
                if not inserted[-1] and token in self.closing:
                    self._look(row)
        return torch.tensor(stand, device=tokens.device), torch.tensor(inserted, device=tokens.device)

    def _look(self, row: _Row) -> None:
        """Run the blocks of a completion whose newest token has closed one."""
        if CLOSED not in self._text(row.ids[-TAIL:]):
            return
        text = self._text(row.ids)
        blocks = programs.cells(text)[0]
        if len(blocks) == row.blocks:
            return
        row.blocks = len(blocks)
        break_before = "" if text.endswith("\n") else "\n"
        shown = f"{break_before}<llm-code-output>\n{output(blocks)}\n</llm-code-output>\n"
        ids = encode(self.tokenizer.backend_tokenizer, [shown])[0]
        row.waiting.extend(number for number in ids if number not in self.ends)  # what ends it, the policy draws

    def _text(self, ids: list[int]) -> str:
        text: str = self.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text


def output(blocks: list[str]) -> str:
    """What the last of the blocks gives: its value, else what it prints, else how it failed. Model-written: tags in it,
    with which it could close its own output, are left out."""
    ran = sandbox().run(blocks)
    if ran.status != "ok":
        return f"Error: {ran.status}"
    value = executed_text(ran.value)
    text = value if value is not None else ran.printed.strip()
    while _TAG.search(text):  # one inside of another leaves a third
        text = _TAG.sub("", text)
    return text[:LONGEST]
