"""Judge the paper's claims on the tables of a grid."""

from echochamber import files
from echochamber.analysis import claims, tables
from echochamber.grid import Grid
from echochamber.job import Job, main


def body(job: Job) -> None:
    grid = Grid.from_spec(job.spec)
    files.write_csv(job.out / "claims.csv", claims.evaluate(grid, tables.read(grid.paths.tables)))


main("judge_claims", body)
