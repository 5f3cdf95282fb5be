"""Draw one figure of one study from its tables."""

from echochamber import figures
from echochamber.analysis.behaviours import join
from echochamber.analysis.tables import tables
from echochamber.grid.expansion import Grid
from echochamber.grid.specs import FigureSpec
from echochamber.jobs.job import Job, main
from echochamber.settings import OF_BEHAVIOURS


def body(job: Job[FigureSpec]) -> None:
    grid = Grid.of(job.spec)
    study, kind = job.spec.study, job.spec.figure
    of_study = tables.read(grid.paths.study(study))
    if kind in OF_BEHAVIOURS:
        of_study |= join.read(grid, study)
    drawn = figures.draw(grid, study, kind, of_study)
    figures.save(*drawn, job.out / f"{study}-{kind}")
    job.write_provenance(f"{study}-{kind}.provenance.json", read=grid.study_tables(study))


main("draw_figure", FigureSpec, body)
