"""Make the tables of a whole grid from its samples and training logs."""

from echochamber.analysis import tables
from echochamber.grid import Grid
from echochamber.job import Job, main


def body(job: Job) -> None:
    tables.write(tables.build(Grid.from_spec(job.spec)), job.out)


main("make_tables", body)
