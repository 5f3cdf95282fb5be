"""Text of a model or of a file as it is safe to show: in logs, on terminals, in reports and in prompts of a judge."""

from __future__ import annotations

import unicodedata
from typing import Any

_KEPT = "\n\t"
_ESCAPED = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
"""Categories of Unicode: controls, format (bidirectional marks and overrides, zero-width signs, tags), lone surrogates,
private use, unassigned, line and paragraph separators."""


def printable(text: str, keep: str = "") -> str:
    """A text with every character that would not show as itself written as an escape of Python (`\\x1b`, `\\u202e`).

    Args:
        keep: characters to leave as they are, such as line breaks where text is shown in lines.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in keep or unicodedata.category(c) not in _ESCAPED else _escape(c) for c in text)


def printable_lines(text: str) -> str:
    """The same of a text that is shown in lines: line breaks and tabs stay."""
    return printable(text, keep=_KEPT)


def shown(value: Any) -> Any:
    """A cell of a table for people: `printable_lines` of a text, anything else as it is."""
    return printable_lines(value) if isinstance(value, str) else value


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")
