"""python docs/rooms.py: draw the rooms of the package anew in docs/architecture.md, from the real imports.

Floors are those of the contract in pyproject.toml; an arrow is drawn from a room to one that it imports, without those
that other arrows imply.
"""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "echochamber"
PAGE = ROOT / "docs/architecture.md"
BEGIN, END = "```mermaid\n", "```\n"


def floors() -> list[list[str]]:
    """The rooms of each floor, the highest first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers: list[str] = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    return [layer.split(" | ") for layer in layers]


def imports() -> dict[str, set[str]]:
    """Room -> the rooms that its modules import."""
    rooms = {room for floor in floors() for room in floor}
    arrows: dict[str, set[str]] = {room: set() for room in rooms}
    for file in PACKAGE.rglob("*.py"):
        room = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                paths = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                paths = [alias.name for alias in node.names]
            else:
                continue
            parts = [path.split(".") for path in paths]
            imported = {part[1] for part in parts if part[0] == PACKAGE.name and len(part) > 1}
            if room in rooms:
                arrows[room] |= (imported & rooms) - {room}
    return arrows


def reduced(arrows: dict[str, set[str]]) -> dict[str, set[str]]:
    """The arrows that no path of others implies."""

    def below(room: str) -> set[str]:
        return arrows[room].union(*(below(other) for other in arrows[room]))

    return {room: others - set().union(*(below(other) for other in others)) for room, others in arrows.items()}


def picture() -> str:
    """The rooms as Mermaid, floor by floor."""
    lines = ["flowchart TD"]
    for number, rooms in enumerate(floors()):
        lines.append(f'  subgraph floor{len(floors()) - number}[" "]')
        lines += [f"    {room}" for room in rooms]
        lines.append("  end")
    arrows = reduced(imports())
    lines += [f"  {room} --> {other}" for floor in floors() for room in floor for other in sorted(arrows[room])]
    return "\n".join(lines) + "\n"


def page(text: str) -> str:
    """The page with the picture drawn anew."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + picture() + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
