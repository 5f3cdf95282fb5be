"""A Python function of the user's own, `module:function`, which is trusted code.

Its module is found from the folder that the command runs in, or is an installed one. Whoever reads a grid file runs
none of it: `missing` reads its source, `fixed` imports it in a process of its own.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from echochamber.errors import UserError
from echochamber.printable import printable

NAME = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$"
"""How a function is named: `module:function`."""
SECONDS = 120
"""For an import."""
CHECK = """
import sys
from echochamber.errors import UserError
from echochamber.own_function import load
try:
    load(sys.argv[1])
except UserError as error:
    sys.exit(str(error))
"""


def load(name: str) -> Any:
    """The function, imported.

    Raises:
        UserError: there is none.
    """
    module, _, function = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        loaded = getattr(importlib.import_module(module), function)
    except (Exception, SystemExit) as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"{name!r} cannot be imported ({said}), allowed: module:function") from None
    if not callable(loaded):
        raise UserError(f"{name!r} is no function ({type(loaded).__name__}), allowed: module:function")
    return loaded


def source(name: str) -> Path | None:
    """The file of a function's module, without importing it or the packages that it is in; relative below this folder.

    None: there is no such module, or it is built in.
    """
    first, *rest = name.partition(":")[0].split(".")
    here = str(Path.cwd())
    spec = PathFinder.find_spec(first, [here, *sys.path])  # as `load` finds it: a folder gives way to a package
    if spec is None:
        try:
            spec = importlib.util.find_spec(first)
        except (ImportError, ValueError):
            return None
    if spec is None:
        return None
    if rest:
        within = [Path(folder, *rest) for folder in spec.submodule_search_locations or []]
        files = [file for path in within for file in (path.with_suffix(".py"), path / "__init__.py")]
    else:
        files = [Path(spec.origin)] if spec.has_location and spec.origin else []
    file = next((file for file in files if file.is_file()), None)
    return file.relative_to(here) if file and file.is_relative_to(here) else file


def missing(name: str) -> str | None:
    """What is wrong with `module:function`, in the words of an error; None: its source has the function."""
    module, _, function = name.partition(":")
    file = source(name)
    if file is None:
        where = f"{module.replace('.', '/')}.py"
        return f"found {name!r}, allowed: module:function of {where} in {Path.cwd()}, or of an installed module"
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        return f"found {name!r} ({file}: {error}), allowed: module:function of Python source"
    if not {function, "*"} & set(_bound(tree)):
        return f"found {name!r}, allowed: a function that {file} defines"
    return None


def fixed(name: str, sha256: str | None) -> str:
    """SHA-256 of the file of the function's module.

    Args:
        sha256: what it was when the grid was read; empty or None: it is read now, and the function imported once, in a
            process of its own.

    Raises ValueError, in one line, if it cannot be imported, or is another than it was.
    """
    if not re.fullmatch(NAME, name):
        raise ValueError(f"found {name!r}, allowed: module:function")
    if wrong := missing(name):
        raise ValueError(wrong)
    file = source(name)
    assert file is not None
    now = hashlib.sha256(file.read_bytes()).hexdigest()
    if sha256 and sha256 != now:
        raise ValueError(f"{file} has changed since the grid was read, allowed: as it was")
    if not sha256:
        _import(name, now)
    return now


@cache
def _import(name: str, sha256: str) -> None:
    """`sha256`: of its file, so that a changed one is imported again."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", CHECK, name],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"importing {name!r} took more than {SECONDS} s, allowed: up to that") from None
    if done.returncode:
        said = printable(" ".join(done.stderr.split())[-300:]) or f"exit status {done.returncode}"
        raise ValueError(f"found that {said}")


def _bound(tree: ast.AST) -> Iterator[str]:
    """Names that the module binds at its top level, conditions and `try` included; `*`: whatever another module has."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):  # what these bind is theirs
            yield from _bound(node)
