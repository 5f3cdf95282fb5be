"""None of the others: empty, a degenerate loop, code of another kind, or a notebook's tag without any `<llm-code>`."""

from __future__ import annotations

from echochamber.formats.format import Format


def _holds(text: str) -> bool:
    return True


FORMAT = Format(label="other", words="none of these: broken or degenerate", colour="#777777", marker="x", holds=_holds)
