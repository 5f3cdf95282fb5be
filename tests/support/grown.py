"""A copy of the package that has grown by one file and one line of a registry, as CONTRIBUTING.md says."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import echochamber

PACKAGE = Path(echochamber.__file__).parent


class Grown:
    """The copy, in a folder of its own; this process does not see it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(PACKAGE, folder / "echochamber", ignore=shutil.ignore_patterns("__pycache__"))

    def add(self, file: str, text: str) -> None:
        """One new file of the package."""
        path = self.folder / "echochamber" / file
        assert not path.exists()
        path.write_text(text, encoding="utf-8")

    def register(self, file: str, after: str, line: str) -> None:
        """One new line in a file, behind the only line that is `after`, indentation aside."""
        path = self.folder / "echochamber" / file
        lines = path.read_text(encoding="utf-8").splitlines()
        (place,) = (number for number, text in enumerate(lines) if text.strip() == after)
        indent = lines[place][: len(lines[place]) - len(lines[place].lstrip())]
        path.write_text("\n".join([*lines[: place + 1], indent + line, *lines[place + 1 :], ""]), encoding="utf-8")

    def run(self, code: str) -> str:
        """What a program prints that imports the copy; it asserts what it will."""
        support = str(Path(__file__).parent)
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONPATH": f"{self.folder}{os.pathsep}{support}"},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout
