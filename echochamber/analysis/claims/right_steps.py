"""What counts as solved: right steps where they are known of all that is compared, else the answer.

By right steps neither guesses nor a floor count.
"""

from __future__ import annotations

import numpy as np

from echochamber.analysis.measured import Measured


def known(*sides: Measured) -> bool:
    """Whether right steps were looked at in every completion of all sides."""
    return all(bool(np.isfinite(side.right_steps).all()) for side in sides)


def gain(before: Measured, after: Measured, steps: bool) -> np.ndarray:
    """In pass@1: of the samples by right steps, or greedy by the answer. (replicates, questions)."""
    return after.right_steps - before.right_steps if steps else after.greedy - before.greedy


def best(side: Measured, steps: bool) -> np.ndarray:
    """pass@k with all samples. (replicates, questions)."""
    return side.pass_by_steps if steps else side.pass_at_k
