"""Compare two results folders, as a page and a CSV file in the first one's compare/."""

import argparse
import sys
from pathlib import Path

from echochamber.errors import UserError
from echochamber.report import compare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("here", type=Path, help="results folder of a grid whose report is written")
    parser.add_argument("there", type=Path, help="another one, or the same grid's under another commit")
    arguments = parser.parse_args()
    try:
        print(compare.write(arguments.here, arguments.there))
    except (UserError, ValueError, FileNotFoundError) as error:
        sys.exit(str(error))


main()
