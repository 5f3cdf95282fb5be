"""Behaviours that ship with the project: a module each, with its `PARTITIONS` and `WORDS`, and a line here."""

from __future__ import annotations

from echochamber.behaviours.partition import Partition
from echochamber.behaviours.presets import boxed, code_or_prose, formats, language, length_quartiles, reasoning

PRESETS: dict[str, tuple[Partition, ...]] = {
    "formats": formats.PARTITIONS,
    "reasoning": reasoning.PARTITIONS,
    "code-or-prose": code_or_prose.PARTITIONS,
    "language": language.PARTITIONS,
    "length-quartiles": length_quartiles.PARTITIONS,
    "boxed": boxed.PARTITIONS,
}
"""By the name that a grid file gives them."""
