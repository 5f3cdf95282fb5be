"""Print and fetch the files that the grid needs from the hub."""

from echochamber.data import download
from echochamber.grid.expansion import Grid
from echochamber.grid.specs import GridSpec
from echochamber.jobs.job import Job, main


def body(job: Job[GridSpec]) -> None:
    download.fetch(Grid.of(job.spec), job.stop)


main("download", GridSpec, body)
