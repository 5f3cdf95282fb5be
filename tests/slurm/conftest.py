"""A real Slurm on this machine, one for all tests of this folder."""

import subprocess
from pathlib import Path

import pytest
from slurm_grid import PLUGIN, Grid

from echochamber.lock import sole_writer

SCRIPT = Path(__file__).with_name("cluster.sh")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory) -> Path:
    """The folder of a running cluster. There is one on a machine: another test session's is waited for."""
    missing = subprocess.run([SCRIPT, "check"], capture_output=True, text=True, check=True).stdout.strip()
    if not missing and not PLUGIN.exists():
        missing = f"{PLUGIN} is not there: make build/slurm-plugin/.ready"
    if missing:
        pytest.skip(missing)
    folder = tmp_path_factory.mktemp("cluster")
    with sole_writer(Path("/tmp/echochamber-slurm-tests")):
        # Daemons outlive the call: they may not hold its pipes.
        with (folder / "out").open("w") as out:
            up = subprocess.run([SCRIPT, "up", folder], stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False)
        assert up.returncode == 0, (folder / "out").read_text()
        yield folder
        subprocess.run([SCRIPT, "down", folder], check=True)


@pytest.fixture(scope="session")
def warm(tmp_path_factory) -> Path:
    """A working folder in which everything before the trainings is done."""
    grid = Grid(tmp_path_factory.mktemp("warm") / "grid")
    grid.start("--until", "mixture", "questions", slurm=False)
    assert grid.finish() == 0, grid.output.read_text()
    return grid.folder


@pytest.fixture(scope="session")
def undisturbed(warm, tmp_path_factory) -> bytes:
    """The metrics.csv of a training that nobody disturbs, on this machine without Slurm."""
    grid = Grid(tmp_path_factory.mktemp("undisturbed") / "grid", warm)
    grid.start(str(grid.metrics.relative_to(grid.folder)), slurm=False)
    assert grid.finish() == 0, grid.output.read_text()
    return grid.metrics.read_bytes()
