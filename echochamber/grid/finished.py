"""The part of a grid that is finished, as a grid of its own: beside working jobs, from the files that are there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from echochamber.grid.expansion import Grid
from echochamber.grid.ids import Model, Paths, Run
from echochamber.settings import GridFile, Study


@dataclass(frozen=True)
class PathsNow(Paths):
    """Those of the grid, but figures of an unfinished grid lie apart."""

    @property
    def now(self) -> Path:
        return self.root / "now"

    @property
    def figures(self) -> Path:
        return self.now / "figures"


class Finished(Grid):
    """Those models and runs of a grid that everything is there of: what they were trained with, logs, samples."""

    paths: PathsNow

    def __init__(self, file: GridFile, results: Path, ids: Collection[str]) -> None:
        super().__init__(file, results)
        self.paths = PathsNow(self.paths.root)
        self.ids = frozenset(ids)

    def study_models(self, study: Study) -> list[Model]:
        return [model for model in super().study_models(study) if model.id in self.ids]

    def study_runs(self, study: Study) -> list[Run]:
        return [run for run in super().study_runs(study) if run.id in self.ids]

    @cached_property
    def whole(self) -> tuple[str, ...]:
        """The studies of which nothing is missing: only these have verdicts."""
        whole = Grid(self.file)

        def jobs(grid: Grid, study: Study) -> list[Model | Run]:
            return [*grid.study_models(study), *grid.study_runs(study)]

        return tuple(name for name, study in self.file.studies.items() if jobs(self, study) == jobs(whole, study))


def finished(grid: Grid) -> Finished:
    """What is finished of a grid."""
    sets: dict[str, list[str]] = {}
    for id, benchmark in grid.evaluations:
        sets.setdefault(id, []).append(benchmark)

    def there(job: Model | Run) -> bool:
        files = [grid.paths.samples(job.id, benchmark) for benchmark in sets[job.id]]
        if isinstance(job, Run) or not job.imported:
            files.append(grid.paths.job(job) / "metrics.csv")
        if isinstance(job, Run):
            files.append(grid.paths.probe(grid.probe(job)))
        return all(file.exists() for file in files)

    models = {id for id, model in grid.models.items() if there(model)}
    runs = {id for id, run in grid.runs.items() if run.model.id in models and there(run)}
    return Finished(grid.file, grid.paths.root.parent, models | runs)
