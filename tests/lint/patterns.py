"""`python tests/lint/patterns.py FOLDER...`: refuse possessive quantifiers and atomic groups in regular expressions.

`re` has had them since Python 3.11, but 3.11.2, Debian 12's own, matches wrongly with them. It looks at every string
that stands first in a call named like a function of `re`, as `re`'s own parser reads it.
"""

from __future__ import annotations

import ast
import re._constants as constants
import re._parser as parser
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

CALLS = {
    "compile",
    "search",
    "match",
    "fullmatch",
    "split",
    "findall",
    "finditer",
    "sub",
    "subn",
    "extract",
    "contains",
}
REFUSED = {constants.POSSESSIVE_REPEAT: "a possessive quantifier", constants.ATOMIC_GROUP: "an atomic group"}


def refused(pattern: str) -> str | None:
    """What a pattern holds that it may not; None also for a text that is no pattern."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = parser.parse(pattern)
    except (parser.error, OverflowError, RecursionError):
        return None
    return next((REFUSED[code] for code in _codes(parsed) if code in REFUSED), None)


def _codes(parsed: object) -> Iterator[object]:
    """The operations of a parsed pattern, at all depths."""
    if isinstance(parsed, parser.SubPattern):
        for code, argument in parsed.data:
            yield code
            yield from _codes(argument)
    elif isinstance(parsed, (tuple, list)):
        for item in parsed:
            yield from _codes(item)


def text_of(node: ast.expr) -> str | None:
    """The text of a string as written, also where it is put together with `+` or has fields (which are left out)."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or "" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return (text_of(node.left) or "") + (text_of(node.right) or "")
    return None


def check(source: str) -> Iterator[tuple[int, str]]:
    """Line and reason of every pattern of a module that is refused."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
            text = text_of(node.args[0]) if name in CALLS else None
            reason = refused(text) if text else None
            if reason:
                yield node.lineno, reason


def main(folders: list[str]) -> int:
    failures = [
        f"{path}:{line}: found {reason} in a pattern, allowed: neither (Python 3.11.2 matches wrongly with it)"
        for folder in folders
        for path in sorted(Path(folder).rglob("*.py"))
        for line, reason in check(path.read_text(encoding="utf-8"))
    ]
    print("\n".join(failures) or "patterns: no possessive quantifier, no atomic group")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
