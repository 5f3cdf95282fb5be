"""What all settings share: names, shares, seeds, and that an unknown key is an error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, model_validator
from pydantic_core import CoreSchema, core_schema

from echochamber.errors import shortened

NAME = r"^[A-Za-z0-9][A-Za-z0-9+._-]*$"
Name = Annotated[str, Field(pattern=NAME, max_length=100)]
Share = Annotated[float, Field(ge=0, le=1)]
GpuShare = Annotated[float, Field(ge=0.01, le=1)]
Seed = Annotated[int, Field(ge=0)]
Precision = Literal["fp32", "bf16"]
"""Of matrix products; weights are kept in fp32."""

RandomNumbers = Literal["independent", "common"]
"""Whether what a job draws is told apart by all that the job is, or by its seed alone."""


@dataclass(frozen=True)
class OneOf:
    """`Annotated[str, OneOf(names)]`: what `Literal` of names is that are known only when the module is read."""

    names: tuple[str, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.literal_schema(list(self.names))


class Settings(BaseModel):
    """Base of all settings: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _no_quiet_conversion(cls, settings: Any) -> Any:
        if isinstance(settings, dict):
            for key, value in settings.items():
                if isinstance(key, str) and key in cls.model_fields:
                    kinds = _kinds(cls.model_fields[key].annotation)
                    if kinds <= {int, float, type(None)}:
                        _refuse(key, value, (bool, str), "a number (YAML takes 1e-3 for text: write 1.0e-3)")
                    elif kinds <= {bool, type(None)}:
                        _refuse(key, value, (int, float, str), "true or false")
        return settings


def _kinds(annotation: Any) -> set[Any]:
    """The types of the values of a setting, inside its containers; of a dict those of its values, not of its keys."""
    arguments = get_args(annotation)
    if get_origin(annotation) is dict:
        return _kinds(arguments[1])
    if get_origin(annotation) is Annotated:
        return _kinds(arguments[0])
    if get_origin(annotation) is Literal or not arguments:
        return {annotation}
    return set().union(*(_kinds(argument) for argument in arguments if argument is not Ellipsis))


def _refuse(key: str, value: Any, types: tuple[type, ...], allowed: str) -> None:
    """Refuse a value of one of the types, also in a list or a dict, which pydantic would convert."""
    values = list(value.values()) if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else [value]
    for item in values:
        if isinstance(item, types) and not (bool not in types and isinstance(item, bool)):
            raise ValueError(f"{key}: found {shortened(item)}, allowed: {allowed}")
