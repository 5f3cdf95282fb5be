"""What a job reads from outside the grid, by its spec: downloads, folders of the user, imported models.

What is streamed from the hub or from a mirror is not here: there the spec's `revision` or address stands for it.
"""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TypeVar

from echochamber import own_function
from echochamber.corpora import locations
from echochamber.corpora.locations import Location
from echochamber.grid import specs
from echochamber.jobs import inputs
from echochamber.jobs.spec import Spec
from echochamber.models import imported
from echochamber.models.weights import ImportedWeights
from echochamber.settings import HubTokenizer

S = TypeVar("S", bound=Spec)

Groups = list[list[str]]
"""Alternatives, of which the first that has files counts, of each group of files."""


def vouched(spec: S, contents: inputs.Contents) -> S:
    """A spec with the contents of what its job reads from outside the grid."""
    groups = read_by(spec)
    if not groups:
        return spec
    return spec.model_copy(
        update={"inputs": {group: content for one in groups for group, content in contents.of(one).items()}}
    )


def read_by(spec: Spec) -> Groups:
    """The files that a job reads and no job makes; none for most kinds of jobs."""
    match spec:
        case specs.TokenizerSpec(settings=HubTokenizer() as settings):
            folders = _folders(settings.path, spec.data)
            return [_either(folders, imported.TOKENIZER), _either(folders, imported.THE_REST)]
        case specs.TokenizerSpec():
            each = [locations.of_source(name, source) for name, source in spec.sources.items()]
            return [group for location in each for group in _files(location, spec.data)]
        case specs.ShardSpec() | specs.ContaminationShardSpec():
            return _files(locations.of_source(spec.source, spec.settings), spec.data)
        case specs.QuestionsSpec():
            return _files(locations.of_questions(spec.name, spec.settings, spec.split), spec.data)
        case specs.PosttrainSpec(base=ImportedWeights() as weights):
            return _model(weights)
        case specs.EvaluateSpec(weights=ImportedWeights() as weights):
            return _model(weights)
        case specs.LabelSpec():
            functions = {name for each in spec.behaviours.values() for name in each.functions().values()}
            sources = sorted({source.as_posix() for name in functions if (source := own_function.source(name))})
            return [[glob.escape(source)] for source in sources]
    return []


def _files(location: Location | None, data: str) -> Groups:
    if location is None:
        return []
    folder = location.path if location.path is not None else str(Path(data) / location.repository)
    return [] if "://" in folder else [_either([folder], location.patterns)]


def _model(weights: ImportedWeights) -> Groups:
    folders = _folders(weights.model, weights.data)
    return [_either(folders, imported.WEIGHTS), _either(folders, imported.THE_REST)]


def _folders(path: str, data: str) -> list[str]:
    """As `imported.here` looks for a folder."""
    folder = imported.here(path, data)
    return [str(folder)] if folder else [path, str(Path(data) / path)]


def _either(locations: list[str], patterns: tuple[str, ...]) -> list[str]:
    return [inputs.pattern(location, pattern) for location in locations for pattern in patterns]
