"""Where RL's gain in accuracy comes from: choosing formats, getting better within them, or both at once.

With shares s and accuracies p of the formats before (0) and after (1), pooled over questions and samples, accuracy
is sum_f s_f p_f and its gain is exactly

    sum_f (s1 - s0) p0   selection: other formats, each as good as before
    sum_f s0 (p1 - p0)   refinement: the same formats, each better
    sum_f (s1 - s0)(p1 - p0)   interaction: better in the formats that grew

A format that the base model never wrote has no p0: what it earns is interaction. One that RL has given up has no p1:
what it earned is lost by selection. (The two-fold split of Oaxaca 1973 and Blinder 1973, with the interaction kept.)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from echochamber.analysis.samples import Answers
from echochamber.analysis.tables.comparison import Comparison
from echochamber.formats import FORMATS
from echochamber.stats.columns import FORMAT, MEASURED, OF_RUN, Column, Table
from echochamber.stats.intervals import bca_ends, resampling_weights

PARTS = ("selection", "refinement", "interaction")
PARTS_OF_GAIN = Table(
    "decomposition",
    "a part of the gain in accuracy of a run, or of a setting over its seeds",
    (*OF_RUN, Column("part", "text", "`selection`, `refinement`, `interaction`, or `total`"), FORMAT, *MEASURED),
    notes=__doc__.partition("\n\n")[2],
)


def decompose(written0: np.ndarray, right0: np.ndarray, written1: np.ndarray, right1: np.ndarray) -> np.ndarray:
    """The three parts of the gain, format by format.

    Each argument: (..., formats), completions written in a format and right ones among them, before and after.
    Returns (..., 3, formats); the sum over the last two axes is the gain in accuracy.
    """
    written0, right0, written1, right1 = (np.asarray(a, dtype=float) for a in (written0, right0, written1, right1))
    s0 = written0 / written0.sum(-1, keepdims=True)
    s1 = written1 / written1.sum(-1, keepdims=True)
    p0 = np.divide(right0, written0, out=np.zeros_like(s0), where=written0 > 0)
    p1 = np.divide(right1, written1, out=p0.copy(), where=written1 > 0)
    return np.stack([(s1 - s0) * p0, s0 * (p1 - p0), (s1 - s0) * (p1 - p0)], axis=-2) + 0.0  # no negative zeros


def counts(answers: Answers, formats: int = len(FORMATS)) -> tuple[np.ndarray, np.ndarray]:
    """Completions in each format and right ones among them: two (questions, formats) arrays."""
    within = answers.format[:, :, None] == np.arange(formats)
    return within.sum(1), (within & answers.correct[:, :, None]).sum(1)


def decomposition(before: Answers, after: Answers, formats: Sequence[str] = FORMATS) -> list[dict]:
    """Rows part, format, estimate, low, high for one run.

    Each part for each format, its sum over formats (format None), and the total gain. Intervals: BCa over questions,
    the same ones resampled before and after. formats: what `Answers.format` counts.
    """
    sides = [*counts(before, len(formats)), *counts(after, len(formats))]
    totals = [side.sum(0) for side in sides]
    weights = resampling_weights(len(before.questions))

    def table(parts: np.ndarray) -> np.ndarray:
        """(n, 3, formats) -> (n, one column for each row of the result)."""
        sums = parts.sum(-1)
        return np.concatenate([parts.reshape(len(parts), -1), sums, sums.sum(-1, keepdims=True)], axis=1)

    estimate = table(decompose(*totals)[None])[0]
    drawn = table(decompose(*(weights @ side for side in sides)))
    left_out = table(decompose(*(total - side for total, side in zip(totals, sides, strict=True))))
    low, high = bca_ends(estimate, drawn, left_out)
    names = [(part, form) for part in PARTS for form in formats] + [(part, None) for part in (*PARTS, "total")]
    return [
        {"part": part, "format": form, "estimate": e, "low": a, "high": b}
        for (part, form), e, a, b in zip(names, estimate, low, high, strict=True)
    ]


COMPARISON = Comparison(PARTS_OF_GAIN, decomposition, apart=("part", "format"))
