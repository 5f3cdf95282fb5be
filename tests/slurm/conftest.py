"""A real Slurm on this machine, one for all tests of this folder.

What the tests share is tried, and its failure is one failure (`test_what_the_tests_share_is_there`): the tests that
need it are skipped and say why.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from slurm_grid import PLUGIN, Grid

from echochamber.jobs.lock import sole_writer

SCRIPT = Path(__file__).with_name("cluster.sh")
STARTS = 2


@dataclass(frozen=True)
class Tried:
    """Something that tests share, or why there is none."""

    result: object
    failure: str | None = None

    def get(self) -> object:
        if self.failure:
            pytest.skip(f"see test_what_the_tests_share_is_there: {self.failure.strip().splitlines()[-1][:200]}")
        return self.result


@pytest.fixture(scope="session")
def tried_cluster(tmp_path_factory) -> Iterator[Tried]:
    """The folder of a running cluster. There is one on a machine: another test session's is waited for."""
    missing = subprocess.run([SCRIPT, "check"], capture_output=True, text=True, check=True).stdout.strip()
    if not missing and not PLUGIN.exists():
        missing = f"{PLUGIN} is not there: make build/slurm-plugin/.ready"
    if missing:
        pytest.skip(missing)
    with sole_writer(Path("/tmp/echochamber-slurm-tests")):
        for _ in range(STARTS):
            folder = tmp_path_factory.mktemp("cluster")
            # Daemons outlive the call: they may not hold its pipes.
            with (folder / "out").open("w") as out:
                up = subprocess.run([SCRIPT, "up", folder], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
            if up.returncode == 0:
                break
            subprocess.run([SCRIPT, "down", folder], stdin=subprocess.DEVNULL, capture_output=True, check=False)
        failure = None if up.returncode == 0 else f"{(folder / 'out').read_text()}\ncluster.sh up: {up.returncode}"
        yield Tried(folder, failure)
        if failure is None:
            subprocess.run([SCRIPT, "down", folder], check=True)


@pytest.fixture(scope="session")
def cluster(tried_cluster) -> Path:
    return tried_cluster.get()


@pytest.fixture(scope="session")
def tried_warm(tmp_path_factory) -> Tried:
    """A working folder in which everything before the trainings is done."""
    return _ran(Grid(tmp_path_factory.mktemp("warm") / "grid"), "--until", "mixture", "questions")


@pytest.fixture(scope="session")
def warm(tried_warm) -> Path:
    return tried_warm.get().folder


@pytest.fixture(scope="session")
def tried_undisturbed(warm, tmp_path_factory) -> Tried:
    """A training that nobody disturbs, on this machine without Slurm."""
    grid = Grid(tmp_path_factory.mktemp("undisturbed") / "grid", warm)
    return _ran(grid, str(grid.metrics.relative_to(grid.folder)))


@pytest.fixture(scope="session")
def undisturbed(tried_undisturbed) -> bytes:
    """Its metrics.csv."""
    return tried_undisturbed.get().metrics.read_bytes()


def _ran(grid: Grid, *arguments: str) -> Tried:
    """A grid of which a command without Slurm has made something."""
    try:
        grid.start(*arguments, slurm=False)
        status = grid.finish()
    except Exception as error:  # it does not start, or does not end
        with suppress(AttributeError):
            grid.main.kill()
        return Tried(grid, f"{type(error).__name__}: {error}")
    return Tried(grid, None if status == 0 else f"{grid.output.read_text()}\nsnakemake {arguments[0]}: status {status}")
