"""Code alone, code within prose, prose alone. Code is a fence, a tag of OpenMathInstruct-1 or a line of Python."""

from __future__ import annotations

import re

from echochamber.behaviours.partition import of_labels
from echochamber.formats.degenerate import is_code

_TAG = re.compile(r"<llm-code>|```")
_BLOCK = re.compile(
    r"<llm-code>.*?(?:</llm-code>|\Z)|<llm-code-output>.*?(?:</llm-code-output>|\Z)|```.*?(?:```|\Z)", re.S
)
_OPENS = re.compile(r"(?:(?:async )?def |class |import |from \w+ import |@\w)")
_WORD = re.compile(r"[^\W\d_]{2}")


def has_code(text: str) -> bool:
    """Whether some of the text is code."""
    return _TAG.search(text) is not None or is_code(text)


def has_prose(text: str) -> bool:
    """Whether there are words outside the blocks of code; a text that opens as a program is one to its end."""
    if _OPENS.match(text.lstrip()):
        return False
    return _WORD.search(_BLOCK.sub(" ", text)) is not None if _TAG.search(text) else not is_code(text)


PARTITIONS = (
    of_labels(
        {
            "code": lambda text: has_code(text) and not has_prose(text),
            "both": lambda text: has_code(text),
            "prose": lambda text: _WORD.search(text) is not None,
        },
        "other",
    ),
)
