"""Which modules a script runs, by reading its imports, and the hash of their code.

Static: nothing is imported. Imports inside functions count, since they may run; `if TYPE_CHECKING` ones too, since a
type may be one that pydantic reads. So do files that a module names in a string and that lie beside it (a program that
it starts, a template), and modules whose dotted names stand in a string (`import_module(f"echochamber.figures.{kind}")`
is all of that package).

Code is what the parser makes of a file, without docstrings: comments, line breaks and quotes change no hash, and Python
3.11 and 3.12 agree on it.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeGuard

from echochamber.jobs import files

PACKAGE = Path(__file__).parents[1]
"""The folder of the package `echochamber`."""
CODE = (".py", ".j2", ".css", ".js")
"""Endings of files that are code when a module beside them names them."""
NO_CODE = ("grid/stages.py",)
"""Modules that hold versions of stages alone: those are in every spec."""
FRESH_SECONDS = 2.0
"""What was written less than so long ago may be written again with the same time: nothing is remembered of it."""


@dataclass(frozen=True)
class Facts:
    """What is known of one file from its text alone."""

    code: str
    """sha256 of its code."""
    names: list[str]
    """Dotted names that it imports, or that stand in its strings; one that ends in a dot is all of a package."""
    beside: list[str]
    """Strings that may be names of files or folders beside it."""


def modules(script: Path) -> list[Path]:
    """The script and all files of the package that it runs, directly or through others, sorted."""
    with _Memory() as memory:
        return _modules(script, memory)


def code_hash(script: Path) -> str:
    """Of the code of `modules(script)`, wherever the package lies."""
    with _Memory() as memory:
        return _code_hash(script, memory)


def codes(script: Path) -> dict[str, str]:
    """Name -> sha256 of the code of every file of `modules(script)`."""
    with _Memory() as memory:
        return {_name(file): memory.facts(file).code for file in _modules(script, memory)}


def made_by_older_code(results: Path, scripts: Path | None = None) -> list[Path]:
    """Records of provenance below `results` whose code is no longer what their script would run today.

    Args:
        results: the results folder of a grid.
        scripts: where the stages' scripts are; None: beside the package.

    A record without a hash, or of a script that is no more, was made by older code too.
    """
    folder = scripts or PACKAGE.parent / "workflow_scripts"
    today: dict[str, str | None] = {}
    older = []
    with _Memory() as memory:
        for file in sorted(results.glob("**/*provenance.json")):
            record = json.loads(file.read_text(encoding="utf-8"))
            stage = str(record.get("stage"))
            if stage not in today:
                script = folder / f"{stage}.py"
                today[stage] = _code_hash(script, memory) if script.is_file() else None
            if today[stage] is None or record.get("code") != today[stage]:
                older.append(file)
    return older


class _Memory:
    """Facts of files, kept in this process, and beside Python's own compiled modules for the next one."""

    kept: ClassVar[dict[Path, dict[str, list[Any]]]] = {}

    def __init__(self) -> None:
        self.file = PACKAGE / "__pycache__" / f"closure-{sys.implementation.cache_tag}.json"
        self.new = False

    def __enter__(self) -> _Memory:
        if self.file not in self.kept:
            self.kept[self.file] = {}
            with contextlib.suppress(OSError, ValueError):
                stored = json.loads(self.file.read_text(encoding="utf-8"))
                self.kept[self.file] = stored["files"] if stored["by"] == _myself() else {}
        self.known = self.kept[self.file]
        return self

    def __exit__(self, *_: object) -> None:
        if self.new and not sys.dont_write_bytecode:
            with contextlib.suppress(OSError):  # a package that others own is read without
                files.write_text(self.file, json.dumps({"by": _myself(), "files": self.known}))

    def facts(self, file: Path) -> Facts:
        status = file.stat()
        stamp = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
        key = str(file)
        if key not in self.known or self.known[key][0] != stamp:
            self.known[key] = [stamp, asdict(_facts(file))]
            if time.time() - status.st_ctime > FRESH_SECONDS:
                self.new = True
            else:
                return Facts(**self.known.pop(key)[1])
        return Facts(**self.known[key][1])


def _myself() -> str:
    """Of the code that makes facts: another one makes others."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def _modules(script: Path, memory: _Memory) -> list[Path]:
    todo, reached = [script], {script}
    while todo:
        file = todo.pop()
        facts = memory.facts(file)
        named = [path for name in facts.names for path in _files(name)]
        for path in (*named, *_beside(file, facts)):
            if path not in reached and not path.as_posix().endswith(NO_CODE):
                reached.add(path)
                todo.append(path)
    return sorted(reached)


def _code_hash(script: Path, memory: _Memory) -> str:
    digest = hashlib.sha256()
    for file in _modules(script, memory):
        digest.update(f"{_name(file)}\n{memory.facts(file).code}\n".encode())
    return digest.hexdigest()


def _name(file: Path) -> str:
    if file.is_relative_to(PACKAGE):
        return f"{PACKAGE.name}/{file.relative_to(PACKAGE).as_posix()}"
    return f"{file.parent.name}/{file.name}"


def _files(name: str) -> Iterator[Path]:
    """The file of a module of the package, and those of the packages around it; nothing for other names."""
    first, *rest = name.split(".")
    if first != PACKAGE.name:
        return
    folder = PACKAGE
    yield folder / "__init__.py"
    for part in rest:
        if not part:
            yield from folder.glob("*.py")
            return
        if (folder / f"{part}.py").is_file():
            yield folder / f"{part}.py"
            return
        folder = folder / part
        if not (folder / "__init__.py").is_file():
            return
        yield folder / "__init__.py"


def _beside(file: Path, facts: Facts) -> Iterator[Path]:
    """Files of the package that a file names: beside it, or in a folder beside it that it names too.

    The latter is how a program that imports nothing of the package finds its modules: by `sys.path`.
    """
    if not file.is_relative_to(PACKAGE):
        return
    folders = [file.parent, *(file.parent / name for name in facts.beside if (file.parent / name).is_dir())]
    for name in facts.beside:
        if name.endswith(CODE) and (file.parent / name).is_file():
            yield file.parent / name
    for name in facts.names:
        for folder in folders:
            if (folder / f"{name}.py").is_file():
                yield folder / f"{name}.py"


def _facts(file: Path) -> Facts:
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".py":
        return Facts(hashlib.sha256(text.encode()).hexdigest(), [], [])
    tree = ast.parse(text, str(file))
    parts: list[str] = []
    _write(tree, parts)
    nodes = list(ast.walk(tree))
    words = {id(node.value) for node in nodes if _is_docstring(node)}
    strings = [string for node in nodes if id(node) not in words and (string := _string(node))]
    names = [name for node in nodes for name in _imported(node)]
    for string in strings:
        names += re.findall(rf"\b{PACKAGE.name}(?:\.\w+)+\.?", string)
    beside = {string for string in strings if re.fullmatch(r"\w[\w.-]{0,60}", string)}
    code = hashlib.sha256("".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
    return Facts(code, sorted(set(names)), sorted(beside))


def _string(node: ast.AST) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _imported(node: ast.AST) -> Iterator[str]:
    """Dotted names of what a statement imports; `from a import b` may mean the module a.b."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _is_docstring(node: object) -> TypeGuard[ast.Expr]:
    """A string that stands alone: of a module, class, function or attribute."""
    return isinstance(node, ast.Expr) and _string(node.value) is not None


def _write(value: Any, parts: list[str]) -> None:
    """What the parser made of a file, as text: without places, docstrings and fields that are empty, which other
    versions of Python do not have."""
    if isinstance(value, ast.AST):
        parts.append(f"{type(value).__name__}(")
        for name, child in ast.iter_fields(value):
            if child is not None and child != []:
                parts.append(f"{name}=")
                _write(_joined(child) if isinstance(value, ast.JoinedStr) else child, parts)
        parts.append(")")
    elif isinstance(value, list):
        parts.append("[")
        for child in value:
            if not _is_docstring(child):
                _write(child, parts)
        parts.append("]")
    else:
        parts.append(f"{value!r},")


def _joined(pieces: list[Any]) -> list[Any]:
    """The parts of an f-string, neighbouring texts as one: Python 3.12 cuts them at `{{`, and has empty ones."""
    joined: list[Any] = []
    for piece in pieces:
        text = _string(piece)
        if text == "":
            continue
        if text is not None and joined and isinstance(joined[-1], str):
            joined[-1] += text
        else:
            joined.append(piece if text is None else text)
    return joined
