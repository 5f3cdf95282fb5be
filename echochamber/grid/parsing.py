"""Reading a grid file: every mistake is one line that names the file, the key, what was found and what is allowed."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from echochamber import own_function
from echochamber.errors import shortened
from echochamber.grid.expansion import Grid
from echochamber.printable import printable
from echochamber.settings import GridFile

MOST_VALUES = 100_000
"""Of a grid file."""
LONGEST_LINE = 1000
"""Characters of an error."""


class GridError(Exception):
    """A grid file that cannot be run. The text has one line per mistake."""


def load(path: Path, results: Path = Path("results")) -> Grid:
    """Read one grid file."""
    return parse(read(path), str(path), results)


def parse(config: dict[str, Any], where: str, results: Path = Path("results")) -> Grid:
    """A grid from the content of a grid file; `where` is the name that errors give it."""
    try:
        file = GridFile.model_validate(config)
    except ValidationError as error:
        lines = [_line(where, config, detail) for detail in error.errors(include_url=False)]
        raise GridError("\n".join(dict.fromkeys(map(_one_line, lines)))) from None
    if lines := list(_missing_functions(file)):
        raise GridError("\n".join(_one_line(f"{where}: {line}") for line in lines))
    return Grid(file, results)


def _missing_functions(file: GridFile) -> Iterator[str]:
    """A line for each function of the user that is nowhere; none of them is run."""
    for name, behaviour in file.behaviours.items():
        for key, function in behaviour.functions().items():
            if wrong := own_function.missing(function):
                yield f"behaviours.{name}.{key}: {wrong}"


def read(path: Path) -> dict[str, Any]:
    """The content of a YAML file. A key that stands twice is an error: YAML would silently take the last one."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        config = yaml.load(text, Loader=_NoDuplicates)
        values = _count(config)
    except OSError as error:
        raise GridError(f"{path}: cannot be read ({error.strerror}), allowed: a grid file") from None
    except UnicodeDecodeError as error:
        line = 1 + error.object[: error.start].count(b"\n")
        raise GridError(f"{path}: line {line}: found {error.object[error.start]:#x}, allowed: UTF-8") from None
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        # Not YAML's own alone: its constructors raise whatever a date, a number or a tag that is none gives.
        raise GridError(_one_line(f"{path}: not YAML: {error}")) from None
    if not isinstance(config, dict):
        raise GridError(f"{path}: found {type(config).__name__}, allowed: a mapping of keys to settings")
    if values > MOST_VALUES:
        raise GridError(f"{path}: found more than {MOST_VALUES} values (aliases counted), allowed: up to that")
    return config


def _count(config: Any) -> int:
    """The values inside, no more than one beyond `MOST_VALUES`: aliases can stand for any number.

    Raises RecursionError for one that stands in itself.
    """
    if not isinstance(config, dict | list):
        return 1
    total = 1
    for value in config.values() if isinstance(config, dict) else config:
        total += _count(value)
        if total > MOST_VALUES:
            break
    return total


def _one_line(text: str) -> str:
    """What a grid file says may be quoted in it: no control characters, no line breaks, not without end."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}..."


class _NoDuplicates(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":  # <<: another mapping's keys, which ours may override
                continue
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                mark = key_node.start_mark
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} stands twice, allowed: once", mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _line(where: str, config: dict[str, Any], detail: ErrorDetails) -> str:
    path = _path(detail["loc"], config)
    key = ".".join(path) or "(the whole file)"
    value, message, kind = detail["input"], detail["msg"], detail["type"]
    quoted = shortened(value)
    if kind == "value_error":  # one of our own: says found and allowed already
        text = str(detail["ctx"]["error"])
        return f"{where}: {text}" if key == "(the whole file)" else f"{where}: {key}: {text}"
    if kind == "missing":
        return f"{where}: {key}: found nothing, allowed: a value (it has no default)"
    if kind == "extra_forbidden":
        return f"{where}: {key}: unknown key, allowed: {', '.join(_keys_beside(path, config))}"
    if kind == "union_tag_not_found":
        return f"{where}: {key}.kind: found nothing, allowed: one of the kinds"
    if kind == "union_tag_invalid":
        return f"{where}: {key}.kind: found {value.get('kind')!r}, allowed: {detail['ctx']['expected_tags']}"
    if path and path[-1] == "[key]":
        allowed = "up to 100 letters, digits and . _ + -, the first a letter or a digit"
        return f"{where}: {'.'.join(path[:-1])}: found the name {quoted}, allowed: {allowed}"
    return f"{where}: {key}: found {quoted}, allowed: {message.removeprefix('Input should be ')}"


def _path(location: tuple[int | str, ...], config: Any) -> list[str]:
    """The keys as the user wrote them: pydantic puts the tag of a union between them."""
    path = []
    for item in location:
        if isinstance(config, dict) and item == config.get("kind") and item not in config:
            continue
        if isinstance(config, str) and item != "[key]":  # nothing lies below a text but the tag of a union
            continue
        path.append(str(item))
        try:
            config = config[item]
        except (KeyError, IndexError, TypeError):
            config = None
    if len(path) > 2 and path[-1] == "[key]":
        path.pop(-2)
    return path


def _keys_beside(path: list[str], config: Any) -> list[str]:
    """The keys that the schema knows where the last key of `path` stands."""
    annotation: Any = GridFile
    for key in path[:-1]:
        config = config[int(key)] if isinstance(config, list) else config[key]
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            fields = {field.alias or name: field for name, field in annotation.model_fields.items()}
            annotation = fields[key].annotation
        elif get_origin(annotation) is dict:
            annotation = get_args(annotation)[1]
        annotation = _chosen(annotation, config)
    return sorted(field.alias or name for name, field in annotation.model_fields.items())


def _chosen(annotation: Any, config: Any) -> Any:
    """The class of a union whose `kind` is the configured one."""
    arguments = [argument for argument in get_args(annotation) if argument is not type(None)]
    if get_origin(annotation) is dict or not arguments:
        return annotation
    for candidate in arguments:
        inner = _chosen(candidate, config)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            kind = inner.model_fields.get("kind")
            if kind is None or config.get("kind") in get_args(kind.annotation):
                return inner
    return arguments[0]


if __name__ == "__main__":  # python -m echochamber.grid.parsing FILE: where the results of a grid lie
    import sys

    try:
        print(load(Path(sys.argv[1])).paths.root)
    except GridError as error:
        sys.exit(str(error))
