"""How often a completion boxes an answer: once, several times, never (`other`)."""

from __future__ import annotations

from echochamber.behaviours.partition import of_labels

BOX = "\\boxed{"

PARTITIONS = (
    of_labels({"once": lambda text: text.count(BOX) == 1, "several": lambda text: text.count(BOX) > 1}, "other"),
)
