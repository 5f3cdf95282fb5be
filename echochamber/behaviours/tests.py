"""What holds of a completion or not: a pattern, or a Python function of the user's own, which is trusted code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from echochamber import own_function
from echochamber.errors import UserError


@dataclass(frozen=True)
class Pattern:
    """Holds where Python's `re.search` finds it, without flags but those that it sets itself (`(?i)`, `(?m)`)."""

    text: str

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.text)

    def __call__(self, completion: str) -> bool:
        return self._compiled.search(completion) is not None


@dataclass(frozen=True)
class Function:
    """Holds where `module:function`, called with the completion's text, returns True."""

    name: str

    @cached_property
    def _loaded(self) -> Any:
        return own_function.load(self.name)

    def __call__(self, completion: str) -> bool:
        own = self._loaded
        try:
            held = own(completion)
        except (Exception, SystemExit) as error:
            said = " ".join(f"{type(error).__name__}: {error}".split())
            raise UserError(f"{self.name}: found {said}, allowed: True or False for any text") from None
        if not isinstance(held, bool):
            raise UserError(f"{self.name}: found {type(held).__name__}, allowed: True or False for any text")
        return held


Test = Pattern | Function
