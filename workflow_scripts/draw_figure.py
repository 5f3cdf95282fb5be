"""Draw one figure of one study from its tables."""

from echochamber import figures
from echochamber.analysis.tables import tables
from echochamber.grid.expansion import Grid
from echochamber.grid.specs import FigureSpec
from echochamber.jobs.job import Job, main


def body(job: Job[FigureSpec]) -> None:
    grid = Grid.of(job.spec)
    study, kind = job.spec.study, job.spec.figure
    drawn = figures.draw(grid, study, kind, tables.read(grid.paths.study(study)))
    figures.save(*drawn, job.out / f"{study}-{kind}")
    job.write_provenance(f"{study}-{kind}.provenance.json", read=grid.study_tables(study))


main("draw_figure", FigureSpec, body)
