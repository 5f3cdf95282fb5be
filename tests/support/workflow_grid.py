"""Snakemake on a tiny grid, in a folder of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass
class Grid:
    """A working folder with a grid file of its own."""

    folder: Path
    name: str = "tiny"

    @property
    def file(self) -> Path:
        return self.folder / f"{self.name}.yaml"

    @property
    def results(self) -> Path:
        return self.folder / "results" / self.name

    def command(self, *arguments: str) -> list[str]:
        start = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2"]
        return [*start, "--directory", str(self.folder), "--configfile", str(self.file), *arguments]

    def snakemake(self, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess:
        """Run it to its end; its whole output is in `stdout`."""
        return subprocess.run(
            self.command(*arguments),
            env=os.environ | {"ECHO_DEVICE": "cpu", "HF_HUB_OFFLINE": "1"} | (environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=500,
            check=False,
        )

    def to_do(self, *arguments: str, **more) -> dict[str, int]:
        """Rule -> jobs, as a dry run counts them."""
        lines = self.snakemake("--dry-run", *arguments, **more).stdout.splitlines()
        if "Job stats:" not in lines:
            assert any("Nothing to be done" in line for line in lines), "\n".join(lines)
            return {}
        begin = lines.index("Job stats:") + 3
        end = lines.index("", begin)
        return {rule: int(count) for rule, count in (line.split() for line in lines[begin:end]) if rule != "total"}


def pretend_gpus(folder: Path, count: int) -> dict[str, str]:
    """An environment in which this machine seems to have so many GPUs."""
    program = folder / "bin/nvidia-smi"
    program.parent.mkdir(parents=True)
    lines = "".join(f"echo 'GPU {number}: pretend'\n" for number in range(count))
    program.write_text(f"#!/bin/sh\n{lines}", encoding="utf-8")
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:{os.environ['PATH']}"}
