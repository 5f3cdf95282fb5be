"""The process that runs a reward function of the user's: `python -m echochamber.rl.function_worker module:function`.

It reads JSON lines `{"question", "completion", "golds"}` and answers each with `{"reward"}` or `{"error"}`. What the
function prints goes to standard error, which nobody reads; to it, and to what it starts, standard input is empty.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from echochamber.errors import UserError
from echochamber.own_function import load

LONGEST = 1000
"""Characters of what is said of an error."""


def main(name: str) -> None:
    """Serve until standard input ends."""
    requests, replies = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    try:
        own, failure = load(name), ""
    except UserError as error:
        own, failure = None, str(error)
    print("ready", file=replies, flush=True)
    for line in requests:
        print(json.dumps(_answer(own, failure, json.loads(line))), file=replies, flush=True)


def _answer(own: Any, failure: str, asked: dict[str, Any]) -> dict[str, Any]:
    if failure:
        return {"error": failure}
    try:
        value = own(asked["question"], asked["completion"], asked["golds"])
    except BaseException as error:
        return {"error": f"it raised {type(error).__name__}: {_shown(str, error)}"}
    try:
        if isinstance(value, str | bytes):
            raise TypeError
        return {"reward": float(value)}
    except Exception:  # whatever an object of the user's makes of it
        return {"error": f"it returned {_shown(repr, value)}"}


def _shown(how: Callable[[Any], str], value: Any) -> str:
    try:
        return how(value)[:LONGEST]
    except Exception:
        return f"<{type(value).__name__}>"


if __name__ == "__main__":
    main(sys.argv[1])
