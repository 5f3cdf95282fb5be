"""Write the report page of a grid."""

import pandas as pd

from echochamber import files
from echochamber.analysis import report, tables
from echochamber.grid import Grid
from echochamber.job import Job, main


def body(job: Job) -> None:
    grid = Grid.from_spec(job.spec)
    claims = pd.read_csv(grid.paths.root / "claims.csv")
    files.write_text(job.out / "report.html", report.render(grid, tables.read(grid.paths.tables), claims))


main("write_report", body)
