"""The process that runs a reward function of the user's: `python -m echochamber.rl.function_worker module:function`.

It reads JSON lines `{"question", "completion", "golds"}` and answers each with `{"reward"}` or `{"error"}`. What the
function prints goes to standard error, which nobody reads.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from echochamber.errors import UserError
from echochamber.own_function import load


def main(name: str) -> None:
    """Serve until standard input ends."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        own, failure = load(name), ""
    except UserError as error:
        own, failure = None, str(error)
    print("ready", file=replies, flush=True)
    for line in sys.stdin:
        print(json.dumps(_answer(own, failure, json.loads(line))), file=replies, flush=True)


def _answer(own: Any, failure: str, asked: dict[str, Any]) -> dict[str, Any]:
    if failure:
        return {"error": failure}
    try:
        value = own(asked["question"], asked["completion"], asked["golds"])
    except BaseException as error:
        return {"error": f"it raised {type(error).__name__}: {error}"}
    try:
        return {"reward": float(value)}
    except (TypeError, ValueError):
        return {"error": f"it returned {value!r}"}


if __name__ == "__main__":
    main(sys.argv[1])
