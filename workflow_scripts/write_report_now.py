"""Write the report of what a grid has so far: `--grid FILE`, or `--spec JSON` as Snakemake gives it."""

import argparse
import sys
from pathlib import Path

from echochamber.errors import UserError
from echochamber.grid import parsing
from echochamber.grid.expansion import Grid
from echochamber.grid.specs import GridSpec
from echochamber.jobs.spec import parse
from echochamber.report import unfinished


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--grid", type=Path, help="the grid file")
    source.add_argument("--spec", help="the grid and its results folder, as JSON")
    arguments = parser.parse_args()
    try:
        grid = parsing.load(arguments.grid) if arguments.grid else Grid.of(parse(GridSpec, arguments.spec))
        report = unfinished.write(grid)
    except (parsing.GridError, UserError, ValueError, FileNotFoundError) as error:
        sys.exit(str(error))
    for line in report.left_out:
        print(f"no figure {line}")
    print(report.missing or "Nothing is missing.")
    print(report.path)


main()
