"""The null: how far the shares of two equal styles drift in RL, against what finite batches alone would do.

The twin of a format is another wording at equal accuracy, so what moves its share u is drift. Under natural gradient a
batch of N completions moves it by a variance of step^2 E[A^2] u (1 - u) / (N s), with s the share of the format: a
Wright-Fisher model whose population is N s / (step^2 E[A^2]) (`analysis.theory.dynamics`). The step is the time
constant that was fitted to the shares of formats (natural gradient, pooled): nothing is fitted to the twins.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import scipy

from echochamber.analysis.theory.dynamics import effective_population, neutral_spread
from echochamber.analysis.theory.trajectories import Case
from echochamber.stats.columns import FORMAT, QUESTION_SET, Column

COLUMNS = (
    QUESTION_SET,
    FORMAT,
    Column(
        "measure",
        "text",
        "`change` of the twin's share; deviation by `sampling`, `predicted` by drift; `ratio` of all",
    ),
)
COUNTED = 50
"""A twin's share is compared where base model and run wrote this many completions in the format."""
Z = float(scipy.special.ndtri(0.975))


def of_twins(styles: pd.DataFrame) -> pd.DataFrame:
    """The rows of the table `styles` that tell of the share of a neutral twin."""
    return styles[(styles["style"] == "twin") & (styles["variant"] == "a")]


def drift(cases: list[Case], constants: Mapping[str, float], styles: pd.DataFrame) -> list[dict]:
    """Rows of id, `COLUMNS`, estimate, low, high and sizes.

    For each run and format: `change` of the twin's share on the held-out questions, its `sampling` deviation (both
    ends are samples) and the `predicted` deviation by drift; then, with id None, `ratio`, measured over predicted
    variance of all runs together, whose interval is that of chi-square. 1: as predicted. constants: id -> time that a
    batch takes; styles: the table.
    """
    rows: list[dict] = []
    deviations: list[tuple[float, float, float]] = []
    twins = of_twins(styles)
    for case in cases:
        case_rows = twins[twins["id"] == case.id]
        for (benchmark, name), part in case_rows.groupby(["question_set", "format"], sort=False):
            part = part.sort_values("step")
            before, after = part.iloc[0], part.iloc[-1]
            few = min(before["n_samples"], after["n_samples"]) < COUNTED
            if before["step"] != 0 or after["step"] == 0 or few or not 0 < before["estimate"] < 1:
                continue
            change = float(after["estimate"] - before["estimate"])
            sampling = sum(((side["high"] - side["low"]) / (2 * Z)) ** 2 for side in (before, after))
            predicted = neutral_spread(float(before["estimate"]), populations(case, str(name), constants[case.id]))
            deviations.append((change, sampling, predicted))
            common = {"id": case.id, "question_set": benchmark, "format": name, "n_seeds": 1}
            common |= {key: int(before[key] if key == "n_questions" else before[key] + after[key]) for key in SIZES}
            half = Z * np.sqrt(sampling)
            rows += [
                common | {"measure": "change", "estimate": change, "low": change - half, "high": change + half},
                common | {"measure": "sampling", "estimate": float(np.sqrt(sampling)), "low": np.nan, "high": np.nan},
                common | {"measure": "predicted", "estimate": float(np.sqrt(predicted)), "low": np.nan, "high": np.nan},
            ]
    if deviations:
        numbers = dict(zip(("estimate", "low", "high"), ratio(*np.array(deviations).T), strict=True))
        rows.append({"id": None, "measure": "ratio", "format": None, "n_seeds": len(deviations)} | numbers)
    return rows


SIZES = ("n_questions", "n_samples")


def populations(case: Case, name: str, constant: float) -> np.ndarray:
    """Effective population of the completions in one format, batch by batch."""
    log, s = case.rollouts.log, case.settings
    written = s.prompts_per_batch * s.samples_per_prompt * log[f"share_{name}"].to_numpy(dtype=float)
    rates = log["learning_rate"].to_numpy(dtype=float) / s.learning_rate
    reward = log["reward_mean"].to_numpy(dtype=float)
    informative = log.get("share_informative_groups", pd.Series(1.0, index=log.index)).to_numpy(float)
    square = case.theory.square(reward, informative)
    return effective_population(np.maximum(written, 1.0), constant * rates, square)


def ratio(change: np.ndarray, sampling: np.ndarray, predicted: np.ndarray) -> tuple[float, float, float]:
    """R with its 95 % interval, where each change is normal with variance sampling + R predicted: never below 0."""

    def solve(quantile: float) -> float:
        def excess(r: float) -> float:
            with np.errstate(divide="ignore", invalid="ignore"):
                parts = change**2 / (sampling + r * predicted)
            return float(np.nansum(parts) - quantile)  # a change of 0 over a variance of 0 says nothing

        if excess(0.0) <= 0:
            return 0.0
        top = 1.0
        while excess(top) > 0:
            top *= 10
        return float(scipy.optimize.brentq(excess, 0.0, top))

    n = len(change)
    return solve(n), solve(float(scipy.stats.chi2.ppf(0.975, n))), solve(float(scipy.stats.chi2.ppf(0.025, n)))
