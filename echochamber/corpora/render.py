"""Worded problem + worked solution -> text, in the surface forms of the public corpora (`echochamber.formats`). Pure.

Each style has a neutral twin: other words of equal length in the same place. In `tinygsm` the last quantity is called
`answer` or (twin) `final`; elsewhere the last sentence begins with "So" or (twin) "Thus". What a twin says, and whether
it is right, is the same.
"""

from __future__ import annotations

from echochamber.corpora.solutions import Step
from echochamber.corpora.wording import Problem
from echochamber.formats import BY_LABEL
from echochamber.formats.rendering import Look

__all__ = ["Look", "render"]


def render(style: str, problem: Problem, steps: list[Step], look: Look) -> str:
    """The solution's text, without the question that precedes it and without a final line break."""
    write = BY_LABEL[style].render
    if write is None:
        raise ValueError(f"style: found {style}, allowed: a format that documents can be written in")
    return write(problem, steps, look)
