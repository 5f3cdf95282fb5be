"""Write the report page of a grid, and beside it the pages of what is too much for one."""

import pandas as pd

from echochamber.analysis.claims.thresholds import thresholds_sha256
from echochamber.analysis.tables import tables
from echochamber.grid.expansion import Grid
from echochamber.grid.specs import GridSpec
from echochamber.jobs.job import Job, main
from echochamber.report import page


def body(job: Job[GridSpec]) -> None:
    grid = Grid.of(job.spec)
    claims = pd.read_csv(grid.paths.root / "claims.csv")
    page.save(*page.render(grid, tables.read(grid.paths.tables), claims), job.out)
    figures = [grid.paths.figures / f"{study}-{kind}.png" for study, kind in grid.figures]
    samples = [grid.paths.samples(*evaluation) for evaluation in grid.evaluations]
    job.write_provenance(
        "report.provenance.json",
        read=[*grid.tables, grid.paths.root / "claims.csv", *(path for path in (*figures, *samples) if path.exists())],
        thresholds=thresholds_sha256(grid.file),
    )


main("write_report", GridSpec, body)
