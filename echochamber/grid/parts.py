"""The part of a grid file that a stage reads: what it does not read stands at its default, and changes nothing."""

from __future__ import annotations

from typing import Any, TypeVar

from echochamber.schema import Settings
from echochamber.settings import OF_BEHAVIOURS as FIGURES_OF_BEHAVIOURS
from echochamber.settings import GridFile, Hardware, Study

Placed = TypeVar("Placed", bound=Settings)

PLACEMENT = ("gpus", "nodes", "gpu_share")
"""Settings of a scale or an algorithm that say where its jobs run, and change no result."""

WHOLE = ("plan", "status", "download", "show_prompt")
"""Stages that read the grid file as it is."""

OF_STUDY = {
    "report": ("title", "behaviours", "figures", "claims"),
    "behaviours": ("behaviours",),
    "claims": ("figures", "claims"),  # a verdict names the figure that shows it
}
"""What a stage reads of a study beside its axes and benchmarks."""

PRESENTATION = {"title": "", "behaviours": None, "figures": (), "claims": ()}
OF_BEHAVIOURS = ("behaviours", "report")
"""Stages that read the grid's behaviours."""


def unplaced(settings: Placed) -> Placed:
    """A scale or an algorithm without where it runs."""
    fields = type(settings).model_fields
    return settings.model_copy(update={name: fields[name].default for name in PLACEMENT if name in fields})


def part(file: GridFile, stage: str, study: str | None = None) -> GridFile:
    """What a stage reads of a grid file.

    Args:
        study: the only one that it reads; none: all of them.
    """
    if stage in WHOLE:
        return file
    kept = {name: value for name, value in PRESENTATION.items() if name not in OF_STUDY.get(stage, ())}
    studies = {
        name: settings.model_copy(update=kept | _figures(settings, stage, kept))
        for name, settings in file.studies.items()
        if study is None or name == study
    }
    change: dict[str, Any] = {
        "studies": studies,
        "scales": {name: unplaced(scale) for name, scale in file.scales.items()},
        "algorithms": {name: unplaced(algorithm) for name, algorithm in file.algorithms.items()},
        "hardware": Hardware(),
        "trackers": (),
    }
    if stage not in ("claims", "report"):
        change |= {"primary": {}, "registered": None}
    if stage not in OF_BEHAVIOURS:
        change["behaviours"] = {}
    elif study is not None and (shown := file.studies[study].behaviours) is not None:
        change["behaviours"] = {name: file.behaviours[name] for name in shown}
    if stage not in ("judge", "report"):
        change["judge"] = None
    if stage != "report":
        change |= _named(file, studies)
    return file.model_copy(update=change)


def _figures(study: Study, stage: str, kept: dict[str, Any]) -> dict[str, Any]:
    """A stage that reads no behaviours has no figures of them."""
    if stage in OF_BEHAVIOURS or "figures" in kept:
        return {}
    return {"figures": tuple(figure for figure in study.figures if figure not in FIGURES_OF_BEHAVIOURS)}


def _named(file: GridFile, studies: dict[str, Any]) -> dict[str, Any]:
    """The settings that the studies name, without those that nobody uses."""
    names = {
        key: {name for study in studies.values() for name in getattr(study, key)}
        for key in ("mixtures", "scales", "stages", "models", "algorithms", "prompts", "benchmarks")
    }
    names["mixtures"] |= {file.stages[stage].mixture for stage in names["stages"]}
    imported = [file.models[model] for model in names["models"]]
    names["mixtures"] |= {model.mixture for model in imported if model.mixture}
    names["scales"] |= {model.scale for model in imported if model.scale}
    used = {key: {n: s for n, s in getattr(file, key).items() if n in names[key]} for key in names}
    used |= {key: {n: unplaced(s) for n, s in used[key].items()} for key in ("scales", "algorithms")}
    asked = {settings.questions for key in ("prompts", "benchmarks") for settings in used[key].values()}
    used["question_sets"] = {name: settings for name, settings in file.question_sets.items() if name in asked}
    return used
