"""Print and fetch the files that the grid needs from the hub."""

from echochamber import download
from echochamber.grid import Grid
from echochamber.job import Job, main


def body(job: Job) -> None:
    download.fetch(Grid.from_spec(job.spec))


main("download", body)
