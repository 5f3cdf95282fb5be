"""What one job depends on, as a type: rules write it as JSON, scripts read the same class back.

The JSON leaves out what equals its default, so that a new optional setting changes no spec that was written before it,
and no finished job runs again. What a changed default means for results is the stage's version, which always stands in.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from echochamber.errors import UserError

S = TypeVar("S", bound="Spec")


class Part(BaseModel):
    """A part of a spec: frozen, strict, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class Spec(Part):
    """Base of the specs of all kinds of jobs."""

    version: int
    """Of the stage (`echochamber.grid.stages`): raised when a change of the code changes results."""
    inputs: dict[str, str] = Field(default_factory=dict)
    """Pattern of files -> hash of their contents (`jobs.inputs`), of what the job reads and no other job makes:
    imported models, local data. Filled in by the rules (`data.inputs`)."""

    def canonical(self) -> dict[str, Any]:
        """Plain JSON values without what equals its default: equal for equal jobs."""
        values: dict[str, Any] = lean(self)
        return values

    def text(self) -> str:
        """The canonical form as one line of JSON. Names stay in the order of the grid file, as the report has them."""
        return json.dumps(self.canonical())


def lean(value: Any) -> Any:
    """A model, or what holds models, as plain JSON values without fields that equal their default."""
    if isinstance(value, BaseModel):
        named = ((key, getattr(value, name), default) for name, key, default in _defaults(type(value)))
        return {key: lean(field_value) for key, field_value, default in named if field_value != default}
    if isinstance(value, dict):
        return {str(key): lean(field_value) for key, field_value in value.items()}
    if isinstance(value, list | tuple):
        return [lean(field_value) for field_value in value]
    return str(value) if isinstance(value, Path) else value


@cache
def _defaults(kind: type[BaseModel]) -> list[tuple[str, str, Any]]:
    """Name, key in JSON and default of each field; of a required one a default that nothing equals."""
    return [
        (name, field.alias or name, object() if field.is_required() else field.get_default(call_default_factory=True))
        for name, field in kind.model_fields.items()
    ]


def parse(kind: type[S], argument: str) -> S:
    """The spec that a command line holds: JSON, or @FILE that holds it.

    Raises:
        UserError: it is none of this kind; one line says what is wrong.
    """
    try:
        return kind.model_validate_json(
            Path(argument[1:]).read_text(encoding="utf-8") if argument.startswith("@") else argument
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or argument[:60]
        raise UserError(
            f"--spec: {where}: found {str(first['input'])[:60]!r} ({first['msg']}), allowed: JSON of a "
            f"{kind.__name__}, or @FILE that holds it"
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"--spec: found {argument[:60]!r} ({error}), allowed: JSON, or @FILE that holds it") from None
