"""Print where the models and runs of a grid are: `--grid FILE`, or `--spec JSON` as Snakemake gives it."""

import argparse
import sys
import time
from functools import partial
from pathlib import Path

from echochamber.data import inputs
from echochamber.errors import UserError
from echochamber.grid import parsing, status
from echochamber.grid.expansion import Grid
from echochamber.grid.specs import GridSpec
from echochamber.jobs.inputs import Contents
from echochamber.jobs.spec import parse


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--grid", type=Path, help="the grid file")
    source.add_argument("--spec", help="the grid and its results folder, as JSON")
    parser.add_argument("--every", type=float, metavar="SECONDS", help="print it again and again, until Ctrl-C")
    arguments = parser.parse_args()
    try:
        grid = parsing.load(arguments.grid) if arguments.grid else Grid.of(parse(GridSpec, arguments.spec))
    except (parsing.GridError, UserError) as error:
        sys.exit(str(error))
    while True:
        page = status.render(grid, partial(inputs.vouched, contents=Contents()))
        if arguments.every is None:
            print(page)
            return
        print(f"\x1b[H\x1b[2J{time.strftime('%H:%M:%S')}\n{page}", flush=True)
        time.sleep(arguments.every)


try:
    main()
except (KeyboardInterrupt, BrokenPipeError):
    sys.exit(130)
