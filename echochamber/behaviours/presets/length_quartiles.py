"""Quarters of the base model's lengths in tokens, on the same benchmark: does RL make completions longer, and do long
ones earn? A length on a border belongs to the shorter quarter."""

from __future__ import annotations

from echochamber.behaviours.partition import Partition

PARTITIONS = (Partition(("shortest", "short", "long", "longest"), None),)
