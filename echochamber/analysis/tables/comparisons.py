"""The registry of tables that hold a run against its base model: a module of this package each, with a `COMPARISON`."""

from __future__ import annotations

from echochamber.analysis.tables import coverage, decomposition
from echochamber.analysis.tables.comparison import Comparison

MODULES = (
    decomposition,
    coverage,
)
COMPARISONS: dict[str, Comparison] = {module.COMPARISON.table.name: module.COMPARISON for module in MODULES}
"""By the table's name."""
