"""Foretell from the samples of the base models what RL will amplify."""

from echochamber.analysis.tables import forecasts
from echochamber.grid.expansion import Grid
from echochamber.grid.specs import GridSpec
from echochamber.jobs import files
from echochamber.jobs.job import Job, main


def body(job: Job[GridSpec]) -> None:
    grid = Grid.of(job.spec)
    files.write_csv(job.out / "forecast.csv", forecasts.table(grid))
    read = [grid.paths.samples(*evaluation) for evaluation in grid.base_evaluations]
    job.write_provenance("forecast.provenance.json", read=read)


main("make_forecast", GridSpec, body)
