"""Judge the paper's claims on the tables of the studies that list them."""

from echochamber.analysis.claims import claims
from echochamber.analysis.claims.thresholds import thresholds_sha256
from echochamber.analysis.tables import tables
from echochamber.grid.expansion import Grid
from echochamber.grid.specs import GridSpec
from echochamber.jobs import files
from echochamber.jobs.job import Job, main


def body(job: Job[GridSpec]) -> None:
    grid = Grid.of(job.spec)
    table = claims.evaluate_by_study(grid, lambda study: tables.read(grid.paths.study(study)))
    files.write_csv(job.out / "claims.csv", table)
    read = grid.study_tables(*(name for name, study in grid.file.studies.items() if study.claims))
    job.write_provenance("claims.provenance.json", read=read, thresholds=thresholds_sha256(grid.file))


main("judge_claims", GridSpec, body)
