"""Write what RL will do to behaviours as base models alone foretell it."""

from echochamber.analysis.behaviours import join
from echochamber.grid.expansion import Grid
from echochamber.grid.specs import GridSpec
from echochamber.jobs import files
from echochamber.jobs.job import Job, main


def body(job: Job[GridSpec]) -> None:
    grid = Grid.of(job.spec)
    files.write_csv(job.out / "behaviour_forecast.csv", join.forecast(grid))
    read = [grid.paths.label_measures(*evaluation) for evaluation in grid.base_evaluations]
    job.write_provenance("behaviour_forecast.provenance.json", read=read)


main("forecast_behaviours", GridSpec, body)
