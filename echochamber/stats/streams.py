"""Random streams: every job draws its own numbers, told apart by what the job is.

Two jobs with equal seeds but other base models would otherwise draw the same uniforms in the same places, and their
results would move together: replicates that are none. Pure: names in, a seed out.

A job's stream is named by its id in the results folder (`grid.ids`): mixture, scale, pretraining seed, step, algorithm,
prompts and run seed, each by its name. So a job draws the same numbers in every grid that calls it the same, whatever
the values of its settings, and a renamed setting draws others. What is drawn for one purpose in one step has a stream
of its own under it: nothing to save, nothing to restore. docs/sampling.md lists who draws what.
"""

from __future__ import annotations

import hashlib

BITS = 56
"""Of a seed: fits numpy's, torch's and Python's generators alike."""


def stream_seed(*names: str | int) -> int:
    """The seed of the stream that these names call, in [0, 2**BITS): equal names, equal numbers, on any machine."""
    digest = hashlib.sha256(repr(names).encode()).digest()
    return int.from_bytes(digest[: BITS // 8], "big")
