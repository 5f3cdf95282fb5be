"""Join the tables of a whole grid, for people and the report, from what its evaluations add to them."""

from echochamber.analysis.claims.thresholds import thresholds_sha256
from echochamber.analysis.tables import tables
from echochamber.grid.expansion import Grid
from echochamber.grid.specs import GridSpec
from echochamber.jobs.job import Job, main


def body(job: Job[GridSpec]) -> None:
    grid = Grid.of(job.spec)
    tables.join_files(grid, job.out, people=True)
    job.write_provenance(read=grid.measured, thresholds=thresholds_sha256(grid.file))


main("make_tables", GridSpec, body)
