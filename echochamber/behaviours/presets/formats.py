"""The paper's formats, by the classifier that every evaluation uses."""

from __future__ import annotations

from echochamber.behaviours.partition import Partition
from echochamber.formats import FORMATS
from echochamber.formats.classification import classify

PARTITIONS = (Partition(tuple(FORMATS), classify),)
