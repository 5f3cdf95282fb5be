"""Make verdicts, figures and a report page again from the tables that are kept in the repository; no run is needed."""

import argparse
import sys
from pathlib import Path

from echochamber.analysis.claims.thresholds import thresholds_sha256
from echochamber.errors import UserError
from echochamber.grid import parsing, registration
from echochamber.report import findings, findings_page

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--grid", type=Path, required=True, help="the grid file")
parser.add_argument("--tables", type=Path, required=True, help="folder of the kept tables")
parser.add_argument("--out", type=Path, required=True, help="folder for claims.csv, the figures and report.html")
arguments = parser.parse_args()
try:
    grid = parsing.load(arguments.grid)
    claims = findings.judge(grid, arguments.tables, arguments.out)
    written = findings_page.write(arguments.grid, grid, arguments.tables, arguments.out, claims)
except (UserError, parsing.GridError, ValueError, FileNotFoundError) as error:
    sys.exit(" ".join(str(error).split()))
print(registration.in_words(grid.file, thresholds_sha256(grid.file)))
shown = claims[claims["primary"]]
print(shown[["claim", "study", "metric", "estimate", "low", "high", "n_seeds", "verdict"]].to_string(index=False))
print(written)
