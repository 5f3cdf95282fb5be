"""The lint rule on regular expressions: what it refuses, what it lets pass, and that the project keeps to it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def lint(*folders: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "tests/lint/patterns.py", *folders]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "pattern",
    ["a++b", "a*+b", "a?+", "a{2,3}+", "(?>a|b)c", "x(?:y|(z[0-9]++))", "(?=a++)", "(?<!b)(?:(?>a))"],
)
def test_possessive_and_atomic_patterns_are_refused(tmp_path, pattern: str) -> None:
    (tmp_path / "module.py").write_text(f"import re\n\nA = re.compile(\n    r'x?'\n    r'{pattern}', re.DOTALL)\n")
    found = lint(tmp_path)
    assert found.returncode == 1
    assert f"{tmp_path / 'module.py'}:3: found " in found.stdout
    (tmp_path / "module.py").write_text(f"import re\n\nB = 'b'\nre.sub('(?:' + B + r'{pattern}' + ')', '', 'a')\n")
    assert lint(tmp_path).returncode == 1


@pytest.mark.parametrize("pattern", [r"a\++", r"[+*?]+", r"\{\}+", "a+?b*?", "a{2,3}?", "(?=a+)", "(?:a|b)"])
def test_others_pass(tmp_path, pattern: str) -> None:
    (tmp_path / "module.py").write_text(f"import re\n\nre.search(r'{pattern}', 'a')\nx = 'a++b'.find('a++')\n")
    found = lint(tmp_path)
    assert found.returncode == 0, found.stdout


def test_the_project_has_none() -> None:
    found = lint(*(ROOT / folder for folder in ("echochamber", "workflow_scripts", "rules", "benchmarks", "tests")))
    assert found.returncode == 0, found.stdout
