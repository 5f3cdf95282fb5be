"""Fix a study before its runs: write the hashes of its grid file and of the thresholds beside it."""

import argparse
import sys
import time
from pathlib import Path

from echochamber.analysis.claims.thresholds import thresholds_sha256
from echochamber.errors import UserError
from echochamber.grid import parsing, registration
from echochamber.jobs.job import git_commit

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--grid", type=Path, required=True, help="the grid file")
parser.add_argument("--note", default="", help="why, for an amendment of what is registered")
arguments = parser.parse_args()
try:
    file = parsing.load(arguments.grid).file
    if file.registered is None:
        raise UserError(f"{arguments.grid}: registered: found nothing, allowed: the path of the file to write")
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    entry = registration.Entry(
        now, git_commit(), registration.fingerprint(file), thresholds_sha256(file), " ".join(arguments.note.split())
    )
    registration.register(Path(file.registered), entry)
except (UserError, parsing.GridError) as error:
    sys.exit(str(error))
print(registration.in_words(file, thresholds_sha256(file)))
