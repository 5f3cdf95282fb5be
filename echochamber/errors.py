"""The exceptions that every job knows."""

from __future__ import annotations


def shortened(value: object, longest: int = 60) -> str:
    """A value that was found, as an error quotes it."""
    text = repr(value)
    return text if len(text) <= longest else f"{text[:longest]}..."


class UserError(Exception):
    """Something that the user can mend; its text is one line: what, where, found, allowed."""


class WorkerError(RuntimeError):
    """A process that the verifier needs does not start on this machine."""


class Interrupted(Exception):
    """The job was asked to stop and has saved what it has done."""
