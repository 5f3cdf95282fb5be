"""The conda files hold what the rules that name them import, at the versions of the lock file."""

import ast
import re
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
ENVS = {file.stem: yaml.safe_load(file.read_text()) for file in sorted((ROOT / "envs").glob("*.yaml"))}
DISTRIBUTIONS = packages_distributions()


def pins(lines: list[str]) -> dict[str, str]:
    return {name.lower(): version for name, version in (line.split("==") for line in lines)}


def pip_part(env: dict) -> dict[str, str]:
    return pins(next(part["pip"] for part in env["dependencies"] if isinstance(part, dict)))


LOCK = pins((ROOT / "requirements.lock").read_text().split())


def scripts() -> list[tuple[str, str]]:
    """(script, conda file) of every rule that runs one."""
    found = []
    for file in sorted((ROOT / "rules").glob("*.smk")):
        for rule in re.split(r"^rule ", file.read_text(), flags=re.MULTILINE)[1:]:
            if script := re.search(r'"(?:job|script) (?:launch .* )?(\w+) ', rule):
                env = re.search(r'conda:\s+"\.\./envs/(\w+)\.yaml"', rule)
                assert env, f"{file.name}: {rule.split(':')[0]} names no conda file"
                found.append((script[1], env[1]))
    return sorted(set(found))


@cache
def imported(file: Path) -> frozenset[str]:
    """Top-level packages that a file and the project's modules behind it import when they are imported."""
    names: set[str] = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    packages: set[str] = set()
    names |= {name.rsplit(".", up)[0] for name in names for up in (1, 2)}  # a package runs before what is in it
    for name in names:
        path = ROOT / Path(*name.split("."))
        if name.split(".")[0] != "echochamber":
            packages.add(name.split(".")[0])
            continue
        module = next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()), None)
        if module and module not in UNDER_WAY:
            UNDER_WAY.add(module)
            packages |= imported(module)
    return frozenset(packages)


UNDER_WAY: set[Path] = set()


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def with_dependencies(names: frozenset[str]) -> set[str]:
    """The packages, and what they need, and so on."""
    found: set[str] = set()
    left = [canonical(name) for name in names]
    while left:
        if (name := left.pop()) in found:
            continue
        found.add(name)
        try:
            needs = requires(name) or []
        except PackageNotFoundError:
            continue
        left += [canonical(re.match(r"[\w.-]+", need)[0]) for need in needs if "extra ==" not in need]
    return found


@pytest.mark.parametrize("name", ENVS)
def test_versions_are_those_of_the_lock_file(name):
    found = pip_part(ENVS[name])
    assert found == {package: LOCK[package] for package in found}


@pytest.mark.parametrize(("script", "env"), scripts())
def test_a_conda_file_holds_what_its_scripts_import(script, env):
    UNDER_WAY.clear()
    imported.cache_clear()
    packages = imported(ROOT / f"workflow_scripts/{script}.py") - sys.stdlib_module_names - {"echochamber"}
    assert packages
    there = with_dependencies(frozenset(pip_part(ENVS[env])))
    missing = {package for package in packages if not there & {canonical(name) for name in DISTRIBUTIONS[package]}}
    assert not missing, f"{script} imports what envs/{env}.yaml has not"


def test_python_is_one_that_the_project_supports():
    for env in ENVS.values():
        version = next(part for part in env["dependencies"] if isinstance(part, str) and part.startswith("python="))
        assert tuple(map(int, version.removeprefix("python=").split("."))) >= (3, 11)
