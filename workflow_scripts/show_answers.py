"""Print what each study of a grid has answered, a line each, and where the report is: `--grid FILE`."""

import argparse
import sys
from pathlib import Path

import pandas as pd

from echochamber.analysis.tables import tables
from echochamber.grid import parsing
from echochamber.printable import printable
from echochamber.report import answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grid", type=Path, required=True, help="the grid file")
    arguments = parser.parse_args()
    try:
        grid = parsing.load(arguments.grid)
    except parsing.GridError as error:
        sys.exit(str(error))
    file = grid.paths.root / "claims.csv"
    if not file.exists():
        sys.exit(f"{file}: found nothing, allowed: the claims of a grid that has run")
    claims = pd.read_csv(file)
    for study in grid.file.studies:
        there = tables.read(grid.paths.study(study))
        if "scores" in there:
            answered = answers.answer(grid, there, claims, study)
            print(printable(f"{answered.question} {answered.sentence()}").replace("\\xa0", " "))
    print(f"Report: {grid.paths.root / 'report.html'}")


main()
