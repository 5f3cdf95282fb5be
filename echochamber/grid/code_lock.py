"""The code that results were last known to be right for: a line of `code.lock` for every module that a stage runs.

A module whose code is not what its line says makes the tests fail, until the versions of its stages are raised
(`echochamber.grid.stages`) or the change is declared harmless:

    python -m echochamber.grid.code_lock        writes code.lock anew and names what it accepts (`make accept-code`)

Branches that change different modules merge without a conflict: `merge=union` (.gitattributes) keeps the lines of both,
and of several lines of a module one that fits is enough. What two branches have both changed fits neither's line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from echochamber.grid.stages import SCRIPTS, VERSIONS
from echochamber.jobs import closure, files

ROOT = closure.PACKAGE.parent
LOCK = ROOT / "code.lock"
DIGITS = 16
"""Of a hash, in code.lock."""
HEADER = (
    "# The code of every module that a stage runs, and the stages' versions. Written by `make accept-code`, which\n"
    "# declares changes harmless whose stages keep their version. On a conflict keep both sides, then make it anew.\n"
)


@dataclass(frozen=True)
class Code:
    """What `code.lock` says, or should say."""

    modules: Mapping[str, frozenset[str]]
    """File -> hashes of its code."""
    versions: Mapping[str, int]
    """Stage -> its version."""


@dataclass(frozen=True)
class Change:
    """A module whose code is not what was accepted."""

    module: str
    stages: tuple[str, ...]
    """That run it and keep their version."""
    raised: tuple[str, ...]
    """That run it and have another version."""

    def __str__(self) -> str:
        """What there is to do, in one line."""
        kept = ", ".join(f"{stage} (version {VERSIONS[stage]})" for stage in self.stages)
        kept = kept if set(self.stages) < set(SCRIPTS) else "all stages"
        return (
            f"{self.module} has changed, of {kept}: raise the version in echochamber/grid/stages.py if results change, "
            "or declare it harmless: make accept-code"
        )


def stages(root: Path = ROOT) -> dict[str, dict[str, str]]:
    """Stage -> file -> hash of its code, of all files that its scripts run."""
    return {
        stage: {
            name: code[:DIGITS]
            for script in scripts
            for name, code in closure.codes(root / "workflow_scripts" / f"{script}.py").items()
        }
        for stage, scripts in SCRIPTS.items()
    }


def now(by_stage: Mapping[str, Mapping[str, str]]) -> Code:
    """The code as it is. by_stage: as `stages` gives it."""
    modules = {name: frozenset({code}) for files in by_stage.values() for name, code in files.items()}
    return Code(modules, {stage: VERSIONS[stage] for stage in by_stage})


def read(path: Path = LOCK) -> Code:
    """`code.lock`, which may have several lines for a module or a stage after a merge."""
    modules: dict[str, frozenset[str]] = {}
    versions: dict[str, int] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        if line.startswith("#") or not line.strip():
            continue
        name, value = line.split()
        if "/" in name:
            modules[name] = modules.get(name, frozenset()) | {value}
        else:
            versions[name] = max(int(value), versions.get(name, 0))
    return Code(modules, versions)


def write(code: Code, path: Path = LOCK) -> None:
    """`code` as lines sorted by name."""
    rows = [(name, str(version)) for name, version in code.versions.items()]
    rows += [(name, value) for name, values in code.modules.items() for value in values]
    files.write_text(path, HEADER + "".join(f"{name} {value}\n" for name, value in sorted(rows)))


def changes(accepted: Code, by_stage: Mapping[str, Mapping[str, str]], versions: Mapping[str, int]) -> list[Change]:
    """The modules whose code is not what was accepted, sorted; a new one is, too.

    Args:
        by_stage: as `stages` gives it.
        versions: of the stages, as they are.
    """
    current = {name: code for files in by_stage.values() for name, code in files.items()}
    changed_modules = []
    for name in sorted(current):
        if current[name] in accepted.modules.get(name, ()):
            continue
        runs = [stage for stage in by_stage if name in by_stage[stage]]
        raised = tuple(stage for stage in runs if versions[stage] > accepted.versions.get(stage, 0))
        changed_modules.append(Change(name, tuple(stage for stage in runs if stage not in raised), raised))
    return changed_modules


def undeclared() -> list[Change]:
    """Changes of the code at hand that nobody has declared: a stage that runs it keeps its version."""
    return [change for change in changes(read(), stages(), VERSIONS) if change.stages]


def main() -> None:
    accepted, by_stage = read(), stages()
    for change in changes(accepted, by_stage, VERSIONS):
        print(f"{change.module}: " + "; ".join(_verdicts(change)))
    gone = sorted(accepted.modules.keys() - now(by_stage).modules.keys())
    for name in gone:
        print(f"{name}: no stage runs it any more")
    write(now(by_stage))


def _verdicts(change: Change) -> list[str]:
    said = [f"harmless for {', '.join(change.stages)}"] if change.stages else []
    return said + ([f"new version of {', '.join(change.raised)}"] if change.raised else [])


if __name__ == "__main__":
    main()
