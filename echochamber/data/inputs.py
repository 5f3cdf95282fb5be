"""What a job reads from outside the grid, by its spec: downloads, folders of the user, imported models.

What is streamed from the hub or from a mirror is not here: there the spec's `revision` or address stands for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from echochamber.datasets import CORPORA, QUESTION_SETS
from echochamber.grid import specs
from echochamber.jobs import inputs
from echochamber.jobs.spec import Spec
from echochamber.models import imported
from echochamber.models.weights import ImportedWeights
from echochamber.settings import HubQuestions, HubSource, HubTokenizer

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
            return [group for source in spec.sources.values() for group in _source(source, spec.data)]
        case specs.ShardSpec() | specs.ContaminationShardSpec():
            return _source(spec.settings, spec.data)
        case specs.QuestionsSpec(settings=HubQuestions() as settings):
            known = QUESTION_SETS[settings.dataset]
            return _dataset(settings, known.repository, known.patterns.get(spec.split, ()), spec.data)
        case specs.PosttrainSpec(base=ImportedWeights() as weights):
            return _model(weights)
        case specs.EvaluateSpec(weights=ImportedWeights() as weights):
            return _model(weights)
    return []


def _source(settings: Any, data: str) -> Groups:
    if not isinstance(settings, HubSource):
        return []
    known = CORPORA[settings.dataset]
    return _dataset(settings, known.repository, known.patterns, data)


def _dataset(settings: HubSource | HubQuestions, repository: str, patterns: tuple[str, ...], data: str) -> Groups:
    location = settings.path or str(Path(data) / repository)
    return [] if "://" in location else [_either([location], patterns)]


def _model(weights: ImportedWeights) -> Groups:
    folders = _folders(weights.model, weights.data)
    return [_either(folders, imported.WEIGHTS), _either(folders, imported.THE_REST)]


def _folders(path: str, data: str) -> list[str]:
    """As `imported.here` looks for a folder."""
    folder = imported.here(path, data)
    return [str(folder)] if folder else [path, str(Path(data) / path)]


def _either(locations: list[str], patterns: tuple[str, ...]) -> list[str]:
    return [inputs.pattern(location, pattern) for location in locations for pattern in patterns]
