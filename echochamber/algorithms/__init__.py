"""The algorithms of post-training, one file each: settings, loss, advantages, and what theory says of it.

`MODULES` is their registry: a module of this package holds one algorithm, whose `kind` it is called. Imports no torch.
"""

from __future__ import annotations

from importlib import import_module
from inspect import isclass
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Field, TypeAdapter

from echochamber.algorithms.base import KL, PostTraining, Sampling
from echochamber.algorithms.expert_iteration import ExpertIteration
from echochamber.algorithms.policy_gradient import PolicyGradient

__all__ = ["KL", "MODULES", "Algorithm", "ExpertIteration", "PolicyGradient", "PostTraining", "Sampling", "algorithm"]

MODULES = (
    "ppo",
    "grpo",
    "reinforce_baseline",
    "rloo",
    "dr_grpo",
    "gspo",
    "dapo",
    "cispo",
    "expert_iteration",
)


def _in(name: str) -> type[PostTraining]:
    """The algorithm that a module of this package holds."""
    module = import_module(f"echochamber.algorithms.{name}")
    (one,) = (
        value
        for value in vars(module).values()
        if isclass(value) and issubclass(value, PostTraining) and value.__module__ == module.__name__
    )
    return one


if TYPE_CHECKING:
    Algorithm = PolicyGradient | ExpertIteration
else:
    Algorithm = Annotated[Union[tuple(map(_in, MODULES))], Field(discriminator="kind")]  # noqa: UP007 (of a tuple)

_adapter: TypeAdapter[Algorithm] = TypeAdapter(Algorithm)


def algorithm(**settings: Any) -> Algorithm:
    """The algorithm that `kind` names, with these settings. Raises pydantic's ValidationError."""
    return _adapter.validate_python(settings)
