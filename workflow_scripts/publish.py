"""Lay out a run's model, tables, figures and samples with their cards, and upload them where a repository is named."""

import argparse
import sys

from echochamber.errors import UserError
from echochamber.grid.expansion import Grid
from echochamber.grid.specs import GridSpec
from echochamber.jobs.spec import parse
from echochamber.report.publishing import publish


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="the grid and its results folder, as JSON")
    parser.add_argument("--run", default="", help="id of a finished run; none: the only one")
    parser.add_argument("--to", default="", help="owner/name on the hub; none: a dry run")
    parser.add_argument("--public", action="store_true", help="for everybody to see; else private")
    arguments = parser.parse_args()
    try:
        grid = Grid.of(parse(GridSpec, arguments.spec))
        for line in publish(grid, arguments.run, arguments.to, public=arguments.public):
            print(line, flush=True)
    except (UserError, ValueError, FileNotFoundError) as error:
        sys.exit(str(error))


main()
