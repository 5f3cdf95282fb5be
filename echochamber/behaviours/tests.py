"""What holds of a completion or not: a pattern, or a Python function of the user's own, which is trusted code."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from echochamber.errors import UserError

FUNCTION = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$"
"""How a function is named: `module:function`."""


@dataclass(frozen=True)
class Pattern:
    """Holds where Python's `re.search` finds it, without flags but those that it sets itself (`(?i)`, `(?m)`)."""

    text: str

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.text)

    def __call__(self, completion: str) -> bool:
        return self._compiled.search(completion) is not None


@dataclass(frozen=True)
class Function:
    """Holds where `module:function`, called with the completion's text, returns True."""

    name: str

    @cached_property
    def _loaded(self) -> Any:
        return load(self.name)

    def __call__(self, completion: str) -> bool:
        try:
            held = self._loaded(completion)
        except Exception as error:
            said = " ".join(f"{type(error).__name__}: {error}".split())
            raise UserError(f"{self.name}: found {said}, allowed: True or False for any text") from None
        if not isinstance(held, bool):
            raise UserError(f"{self.name}: found {type(held).__name__}, allowed: True or False for any text")
        return held


Test = Pattern | Function


def load(name: str) -> Any:
    """The function, from the folder that the job runs in or from what is installed.

    Raises:
        UserError: there is none.
    """
    module, _, function = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        loaded = getattr(importlib.import_module(module), function)
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"{name}: found {said}, allowed: module:function that can be imported here") from None
    if not callable(loaded):
        raise UserError(f"{name}: found {type(loaded).__name__}, allowed: module:function that can be called")
    return loaded


def source(name: str) -> Path | None:
    """The file of a function's module, without running it: below this folder, or of an installed package.

    None: there is no such module, or it has no source.
    """
    first, *rest = name.partition(":")[0].split(".")
    folders = [Path()]
    if not (Path(first).is_dir() or Path(f"{first}.py").is_file()):
        try:
            spec = importlib.util.find_spec(first)
        except (ImportError, ValueError):
            return None
        if spec is None:
            return None
        within = spec.submodule_search_locations
        folders = [Path(folder).parent for folder in within or [spec.origin or "nowhere"]]
    path = Path(first, *rest)
    files = [folder / file for folder in folders for file in (path.with_suffix(".py"), path / "__init__.py")]
    return next((file for file in files if file.is_file()), None)


def missing(name: str) -> str | None:
    """What is wrong with `module:function`, in the words of an error; None: its source has the function.

    Nothing of it is run: a job does that.
    """
    file, function = source(name), name.partition(":")[2]
    if file is None:
        where = f"{name.partition(':')[0].replace('.', '/')}.py"
        return f"found {name!r}, allowed: module:function of {where} in {Path.cwd()}, or of an installed module"
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        return f"found {name!r} ({file}: {error}), allowed: module:function of Python source"
    if function not in set(_bound(tree)):
        return f"found {name!r}, allowed: a function that {file} defines"
    return None


def _bound(tree: ast.Module) -> Iterator[str]:
    """Names that the module binds at its top level, conditions and `try` included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
