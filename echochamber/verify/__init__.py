"""Completion -> (format, correct): a verifier that runs model-written Python safely and compares answers exactly."""

from echochamber.verify.scoring import verify, verify_batch, verify_by_rules
from echochamber.verify.verdict import Verdict, counters, restore_counters
from echochamber.verify.workers import close, walls

__all__ = [
    "Verdict",
    "close",
    "counters",
    "restore_counters",
    "verify",
    "verify_batch",
    "verify_by_rules",
    "walls",
]
