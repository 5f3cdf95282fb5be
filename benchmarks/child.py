"""What a command takes as a process of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[2:]).returncode
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], "w") as file:
    print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss, file=file)
sys.exit(code)
"""
# In a small process: Linux counts the memory of whoever starts a process as that process's.


class Usage(NamedTuple):
    wall_seconds: float
    seconds: float
    """Of processors, its children's included."""
    megabytes: float
    """The largest memory of it or any child."""


def run(command: Sequence[str], environment: Mapping[str, str]) -> Usage:
    """Run it to its end, without what it prints.

    Raises SystemExit, in one line, where it fails.
    """
    with tempfile.NamedTemporaryFile("r") as file:
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-S", "-c", MEASURE, file.name, *command],
            env=environment,
            stdout=subprocess.DEVNULL,
            check=False,
        )
        taken = time.perf_counter() - started
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}: exit status {done.returncode}")
        seconds, peak = file.read().split()
    return Usage(taken, float(seconds), float(peak) / (1e6 if sys.platform == "darwin" else 1e3))
