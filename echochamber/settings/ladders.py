"""Algorithms that differ in their KL penalty alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from echochamber.algorithms import PolicyGradient

T = TypeVar("T")


def but_for_kl(settings: PolicyGradient) -> str:
    """All settings but the penalty: equal for algorithms that may stand on one ladder."""
    return settings.model_dump_json(exclude={"kl"})


def ladders(rungs: Sequence[T], settings: Callable[[T], PolicyGradient]) -> list[list[T]]:
    """The ladders of two rungs or more, from the smallest coefficient on, of rungs that are alike but for their KL.

    A coefficient of 0 belongs to every place and estimator; otherwise those must agree.
    """
    kinds = {rung: settings(rung).kl.model_dump_json(exclude={"coefficient"}) for rung in rungs}
    penalised = [rung for rung in rungs if settings(rung).kl.coefficient > 0]
    free = [rung for rung in rungs if settings(rung).kl.coefficient == 0]
    all_ladders = []
    for kind in dict.fromkeys(kinds[rung] for rung in penalised):
        ladder = sorted(
            [*free, *(rung for rung in penalised if kinds[rung] == kind)],
            key=lambda rung: settings(rung).kl.coefficient,
        )
        if len(ladder) > 1:
            all_ladders.append(ladder)
    return all_ladders
