"""A script run as `python SCRIPT` runs it, which is sooner at work.

    python workflow_scripts/start.py posttrain --spec '<json>' --out DIR

While it imports, Python's cyclic garbage collector is off. Otherwise it looks through hundreds of thousands of objects,
none of which can go, again and again: a sixth of what a job waits for torch and transformers. `imported` turns it on.
"""

from __future__ import annotations

import gc
import runpy
import sys
from pathlib import Path


def main(scripts: Path) -> None:
    """Run the script of the folder `scripts` that the first argument names, with the others."""
    run(scripts / f"{sys.argv[1]}.py", sys.argv[2:])


def run(script: Path, arguments: list[str]) -> None:
    """Run a script that says when it has `imported`, as those do that end in `jobs.job.main`."""
    gc.disable()
    sys.argv[:] = [str(script), *arguments]
    runpy.run_path(str(script), run_name="__main__")


def imported() -> None:
    """Collect garbage from here on, but for what there is by now."""
    gc.freeze()
    gc.enable()
