"""Keep what a study has of one pretraining seed in the repository: small tables, without texts."""

import argparse
import json
import sys
import time
from pathlib import Path

from echochamber.errors import UserError
from echochamber.grid import parsing
from echochamber.grid.expansion import Grid
from echochamber.jobs.job import git_commit, versions
from echochamber.report import findings

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--grid", type=Path, required=True, help="the grid file")
parser.add_argument("--study", required=True, help="the study")
parser.add_argument("--seed", required=True, type=int, help="the pretraining seed")
parser.add_argument("--out", type=Path, required=True, help="folder of the findings")
parser.add_argument("--files", action="store_true", help="keep nothing, print the files that it would be kept from")
arguments = parser.parse_args()


def of_jobs(grid: Grid, study: str, seed: int) -> dict:
    """What made the models and runs: commits, versions, seconds by stage."""
    part = findings.restricted(grid, {study: (seed,)})
    jobs = {"pretraining": part.trained_models.values(), "posttraining": part.runs.values()}
    records = {
        stage: [json.loads((part.paths.job(job) / "provenance.json").read_text(encoding="utf-8")) for job in stage_jobs]
        for stage, stage_jobs in jobs.items()
    }
    every = [record for stage_records in records.values() for record in stage_records]
    return {
        "jobs": {stage: len(stage_records) for stage, stage_records in records.items()},
        "seconds": {
            stage: round(sum(record["seconds"] for record in stage_records)) for stage, stage_records in records.items()
        },
        "git_commits": sorted({str(record["git_commit"]) for record in every}),
        "versions": sorted({json.dumps(record["versions"], sort_keys=True) for record in every}),
        "processor": processor(),
        "from": min(record["time"] for record in every),
        "to": max(record["time"] for record in every),
    }


def processor() -> str:
    """Its name and how many there are, of this machine."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else "unknown"


try:
    grid = parsing.load(arguments.grid)
    if arguments.study not in grid.file.studies:
        raise UserError(f"--study: found {arguments.study!r}, allowed: {', '.join(grid.file.studies)}")
    seeds = grid.file.studies[arguments.study].model_seeds
    if arguments.seed not in seeds:
        raise UserError(f"--seed: found {arguments.seed}, allowed: {', '.join(map(str, seeds))}")
    if arguments.files:
        print(*findings.restricted(grid, {arguments.study: (arguments.seed,)}).samples)
        sys.exit()
    record = of_jobs(grid, arguments.study, arguments.seed) | {
        "tables_by": {"git_commit": git_commit(), "versions": versions()}
    }
    record["time"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    findings.keep(grid, arguments.study, arguments.seed, arguments.out, record)
except (UserError, parsing.GridError, ValueError, FileNotFoundError) as error:
    sys.exit(" ".join(str(error).split()))
