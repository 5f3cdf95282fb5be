"""Join the tables of one study from what its evaluations add to them."""

from echochamber.analysis.claims.thresholds import thresholds_sha256
from echochamber.analysis.tables import tables
from echochamber.grid.expansion import Grid
from echochamber.grid.specs import StudySpec
from echochamber.jobs.job import Job, main


def body(job: Job[StudySpec]) -> None:
    grid = Grid.of(job.spec)
    tables.join_files(grid, job.out, people=False)
    job.write_provenance(read=grid.measured, thresholds=thresholds_sha256(grid.file))


main("join_study", StudySpec, body)
