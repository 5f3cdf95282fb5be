"""Draw one figure of one study from the tables."""

from echochamber import figures
from echochamber.analysis import tables
from echochamber.grid import Grid
from echochamber.job import Job, main


def body(job: Job) -> None:
    grid = Grid.from_spec(job.spec)
    study, kind = job.spec["study"], job.spec["figure"]
    drawn = figures.draw(grid, study, kind, tables.read(grid.paths.tables))
    figures.save(*drawn, job.out / f"{study}-{kind}")


main("draw_figure", body)
