"""T1 held against runs: predicted and measured shares of formats, from evaluation samples of base and final model.

The law speaks of the distribution that RL samples from. A row is `matched` if the benchmark decodes as RL samples
(temperature and top_p); the KL is of whole completions if `sequence_level`. Elsewhere the numbers are shown, and no
claim rests on them.
"""

from __future__ import annotations

import numpy as np

from echochamber.analysis.samples import Answers
from echochamber.analysis.theory import predict
from echochamber.grid import Grid, Run
from echochamber.settings import FORMATS, ExpertIteration


def predictions(grid: Grid, run: Run, benchmark: str, before: Answers, after: Answers) -> list[dict]:
    """Rows law, beta, matched, sequence_level, format, base, predicted, bias, measured for one run; [] on other sets.

    law: `tilt` (KL in the reward, or k2 in the loss), `k3` (k3 in the loss), `limit` (no KL, and Expert Iteration:
    the base model restricted to right answers). predicted + bias corrects for the number of samples, to leading
    order.
    """
    settings, measured = grid.file.algorithms[run.algorithm], grid.file.benchmarks[benchmark]
    if grid.file.prompts[run.prompts].questions != measured.questions or settings.reward != "correct":
        return []
    if isinstance(settings, ExpertIteration) or settings.kl.place == "none":
        law, beta, sequence_level = "limit", 0.0, False
    else:
        law = "k3" if settings.kl.place == "loss" and settings.kl.estimator == "k3" else "tilt"
        beta, sequence_level = settings.kl.coefficient, settings.kl.level == "sequence"
    matched = (settings.sampling.temperature, settings.sampling.top_p) == (measured.temperature, measured.top_p)
    shares, bias = predict(before.format, before.correct, len(FORMATS), beta, "k3" if law == "k3" else "tilt")
    common = {"law": law, "beta": beta, "matched": matched, "sequence_level": sequence_level}
    return [
        common
        | {"format": name, "base": float(np.mean(before.format == i)), "predicted": shares[i], "bias": bias[i]}
        | {"measured": float(np.mean(after.format == i))}
        for i, name in enumerate(FORMATS)
    ]
