"""Claims: one file each, with what it measures and why a study may be silent; and the machinery of verdicts."""

from importlib import import_module

from echochamber.analysis.claims.claim import Claim
from echochamber.settings import CLAIMS

LIST: dict[str, Claim] = {name: import_module(f"echochamber.analysis.claims.{name.lower()}").CLAIM for name in CLAIMS}
"""Each is the `CLAIM` of the module of its name: `s1.py` of S1."""
