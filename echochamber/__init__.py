"""What reinforcement learning adds to a language model, and what it only amplifies.

For people's own scripts: `encode_questions` makes the prompts that a checkpoint was trained and measured with, and
`PromptForm` says how questions stand in them (docs/sampling.md).
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
_PUBLIC = {"PromptForm": "echochamber.settings", "encode_questions": "echochamber.sampling.prompts"}


def __getattr__(name: str) -> Any:
    """What is public, from its room: read when it is asked for, since reading a grid file needs no torch."""
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'echochamber' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
