"""Print where the models and runs of a grid are: `--grid FILE`, or `--spec JSON` as Snakemake gives it."""

import argparse
import json
import sys
import time
from pathlib import Path

from echochamber import loading, status
from echochamber.grid import Grid


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--grid", type=Path, help="the grid file")
    source.add_argument("--spec", help="the grid and its results folder, as JSON")
    parser.add_argument("--every", type=float, metavar="SECONDS", help="print it again and again, until Ctrl-C")
    arguments = parser.parse_args()
    try:
        grid = loading.load(arguments.grid) if arguments.grid else Grid.from_spec(json.loads(arguments.spec))
    except loading.GridError as error:
        sys.exit(str(error))
    while True:
        page = status.render(grid)
        if arguments.every is None:
            print(page)
            return
        print(f"\x1b[H\x1b[2J{time.strftime('%H:%M:%S')}\n{page}", flush=True)
        time.sleep(arguments.every)


try:
    main()
except (KeyboardInterrupt, BrokenPipeError):
    sys.exit(130)
