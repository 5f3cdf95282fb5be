"""Which settings of a study differ from the paper's.

A default is the paper's value, but for `APART` and the KL penalty.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from echochamber.grid.expansion import Grid
from echochamber.settings import GridFile, Study

UNTOLD = frozenset(
    {"kind", "title", "questions", "role", "seed", "checkpoints", "log_every", "precision", "micro_batch"}
)
"""Settings that say what a thing is, or how it is computed, and nothing that the paper decided."""

APART = {"reward": "authors", "suffix": "", "bos": "auto", "reduction": "micro_batch_mean"}
"""Settings whose default is not the paper's (it judges by its own code, and asks the bare question) -> the paper's."""
KL = "{coefficient:g} ({estimator} in the {place})"
KL_OF_PAPER = {
    "ppo": ("reward", "k1"),
    "grpo": ("loss", "k3"),
    "reinforce_baseline": ("reward", "k1"),
}
"""Kind of algorithm -> where the paper's penalty stands and its estimator; the coefficient is 0.001."""


@dataclass(frozen=True)
class Difference:
    """One setting of some parts of the grid file."""

    where: str
    """The parts: `algorithms: grpo, ppo`."""
    key: str
    here: str
    paper: str


def differences(grid: Grid, study: str) -> list[Difference]:
    """Of what a study uses: pretraining, scales, algorithms and benchmarks; equal ones of several parts together."""
    rows: dict[tuple[str, str, str, str], list[str]] = {}
    for group, name, settings in _parts(grid.file, grid.file.studies[study]):
        for key, here, paper in _changed(settings):
            rows.setdefault((group, key, here, paper), []).append(name)
    return [
        Difference(f"{group}: {', '.join(names)}" if names != [""] else group, key, here, paper)
        for (group, key, here, paper), names in rows.items()
    ]


def _parts(file: GridFile, study: Study) -> Iterator[tuple[str, str, BaseModel]]:
    if study.mixtures:
        yield "pretraining", "", file.pretraining
    for name in study.algorithms:
        yield "algorithms", name, file.algorithms[name]
    for name in study.benchmarks:
        yield "benchmarks", name, file.benchmarks[name]


def _changed(settings: BaseModel) -> Iterator[tuple[str, str, str]]:
    """(key, here, the paper's) of each setting that has a value of the paper's and another here."""
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if name in UNTOLD or field.is_required():
            continue
        if name == "kl":
            yield from _penalty(settings)
            continue
        paper = APART[name] if name in APART else field.get_default(call_default_factory=True)
        if isinstance(value, BaseModel) and type(value) is type(paper):
            for key in type(value).model_fields:
                if key not in UNTOLD and getattr(value, key) != getattr(paper, key):
                    yield f"{name}.{key}", _words(getattr(value, key)), _words(getattr(paper, key))
        elif value != paper:
            yield name, _words(value), _words(paper)


def _penalty(settings: BaseModel) -> Iterator[tuple[str, str, str]]:
    kl, kind = getattr(settings, "kl"), getattr(settings, "kind")  # noqa: B009
    theirs, estimator = KL_OF_PAPER.get(kind, ("none", ""))
    here = KL.format(**dict(kl)) if kl.place != "none" else "none"
    paper = KL.format(coefficient=0.001, estimator=estimator, place=theirs) if theirs != "none" else "none"
    if here != paper:
        yield "KL penalty", here, paper


def _words(value: Any) -> str:
    if value is None or value == ():
        return "none"
    if isinstance(value, str):
        return value if value.strip() else repr(value)
    if isinstance(value, BaseModel):
        return ", ".join(f"{name} {_words(getattr(value, name))}" for name in type(value).model_fields)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return ", ".join(map(_words, value)) if isinstance(value, tuple | list) else str(value)
