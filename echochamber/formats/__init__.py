"""The formats of solutions, one file each, and which one a completion is written in; the names of the rules.

`MODULES` is their registry: a module of this package holds one `FORMAT`, whose label it is called. The order is that
of tables and figures; the last one holds whatever no other does.
"""

from __future__ import annotations

from importlib import import_module
from typing import Literal, get_args

from echochamber.formats.format import Format

MODULES = (
    "tinygsm",
    "omi1",
    "omi2",
    "text",
    "other",
)
BY_LABEL: dict[str, Format] = {name: import_module(f"echochamber.formats.{name}").FORMAT for name in MODULES}
FORMATS = tuple(BY_LABEL)
"""The labels of `echochamber.formats.classification`: a partition of all completions."""
RENDERED = tuple(name for name, form in BY_LABEL.items() if form.render)
"""Those that documents of the embedded world can be written in."""

RuleName = Literal["executed", "written", "authors"]
RULES: tuple[RuleName, ...] = get_args(RuleName)
"""The rules of `echochamber.verify.rules`: who is right."""
DEFAULT_RULE: RuleName = "executed"

Truncated = Literal["wrong", "judged"]
"""What a completion without an end token earns: nothing, or what its text earns."""
