"""Which commits of hub repositories a job reads, for manifests and provenance: a branch is another thing tomorrow.

Of a download its listing says it (`jobs.downloads`), of the hub's cache the name of the folder, of what is streamed the
hub itself. A folder that the user made has none: there the contents stand in the spec (`data.inputs`).
"""

from __future__ import annotations

from pathlib import Path

from echochamber.corpora import locations
from echochamber.corpora.locations import Location
from echochamber.grid import specs
from echochamber.jobs import downloads
from echochamber.jobs.spec import Spec
from echochamber.models import imported
from echochamber.models.weights import ImportedWeights
from echochamber.settings import HubTokenizer

Origin = dict[str, str]
"""`repository`, the `revision` that was asked for, `commit`."""


def of(spec: Spec) -> dict[str, list[Origin]]:
    """`hub` -> what the job of a spec reads of the hub; nothing where it reads nothing of it."""
    match spec:
        case specs.TokenizerSpec(settings=HubTokenizer() as settings):
            origins = _model(settings.path, settings.revision, spec.data, imported.TOKENIZER)
        case specs.TokenizerSpec():
            each = [locations.of_source(name, source) for name, source in spec.sources.items()]
            origins = [origin for location in each for origin in _dataset(location, spec.data)]
        case specs.ShardSpec() | specs.ContaminationShardSpec():
            origins = _dataset(locations.of_source(spec.source, spec.settings), spec.data)
        case specs.QuestionsSpec():
            origins = _dataset(locations.of_questions(spec.name, spec.settings, spec.split), spec.data)
        case specs.PosttrainSpec(base=ImportedWeights() as weights):
            origins = _model(weights.model, weights.revision, weights.data, imported.WEIGHTS)
        case specs.EvaluateSpec(weights=ImportedWeights() as weights):
            origins = _model(weights.model, weights.revision, weights.data, imported.WEIGHTS)
        case _:
            origins = []
    return {"hub": origins} if origins else {}


def _dataset(location: Location | None, data: str) -> list[Origin]:
    if location is None or not location.repository:
        return []
    root, repository = location.root(data), location.repository
    if root.startswith(f"{locations.HUB}{repository}@"):
        commits = _asked(repository, "dataset", location.revision)
    else:
        commits = [] if "://" in root else _listed(Path(root), location.patterns)
    return [{"repository": repository, "revision": location.revision, "commit": commit} for commit in commits]


def _model(path: str, revision: str, data: str, patterns: tuple[str, ...]) -> list[Origin]:
    folder = imported.here(path, data)
    commits = _listed(folder, patterns) if folder else _asked(path, "model", revision)
    return [{"repository": path, "revision": revision, "commit": commit} for commit in commits]


def _listed(folder: Path, patterns: tuple[str, ...]) -> list[str]:
    listing = downloads.read_listing(folder)
    return sorted({listing[path].commit for path in downloads.matching(listing, patterns)})


def _asked(repository: str, kind: str, revision: str) -> list[str]:
    """The commit that a revision stands for now; none where the hub does not say."""
    from huggingface_hub import HfApi

    try:
        return [HfApi().repo_info(repository, revision=revision, repo_type=kind).sha or revision]
    except Exception:  # what the job reads, from the hub's cache, is there without it
        return []
