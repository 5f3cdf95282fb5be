"""The smallest effect that a grid of this size can show: found with 80 % power at the level of its intervals.

Over replicates it is a distance from a claim's threshold, from the spread between replicates; within a run a gain over
the base model, paired over questions; for a winner the share of wins. Before Holm's correction, which asks for more.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy

from echochamber.formats import DEFAULT_RULE
from echochamber.grid.expansion import Grid
from echochamber.stats.columns import QUESTION_SET, Column, Table
from echochamber.stats.intervals import clopper_pearson

POWER = 0.8
POWERS = Table(
    "power",
    "what a study can show on a question set",
    (
        Column("study", "text", "name in the grid file"),
        QUESTION_SET,
        Column("metric", "text", "that the gain is of"),
        Column("n_questions", "integer", "of the question set"),
        Column("n_samples", "integer", "completions of a run and its base model"),
        Column("n_seeds", "integer", "replicates"),
        Column("spread", "number", "standard deviation of the gain between replicates"),
        Column("spread_from", "text", "`replicates`, or `questions`: the error of one run, less than the truth"),
        Column("within_a_run", "number", "the smallest gain over the base model that a run shows"),
        Column("over_seeds", "number", "the smallest distance from a threshold; inf with too few replicates"),
        Column("wins", "number", "the smallest share of wins that shows a winner"),
    ),
    notes=__doc__.partition("\n\n")[2],
)
INDEPENDENT = 0.5
"""Variance of the difference of two 0/1 answers to one question that have nothing in common, at accuracy 1/2: the most
that it can be where no gain is known yet."""


def over_replicates(spread: float, n: int, level: float = 0.95, power: float = POWER) -> float:
    """Distance from a threshold that Student's interval of n replicates clears with the given power.

    spread: standard deviation between replicates. From the noncentral t distribution. NaN for fewer than two.
    """
    if n < 2 or not np.isfinite(spread):
        return float("nan")
    if spread == 0:
        return 0.0
    critical = scipy.stats.t.ppf(0.5 + level / 2, n - 1)
    shift = scipy.optimize.brentq(lambda nc: scipy.stats.nct.sf(critical, n - 1, nc) - power, 0.0, 50.0 + 2 * critical)
    return float(shift * spread / np.sqrt(n))


def over_questions(n_questions: int, variance: float = INDEPENDENT, level: float = 0.95, power: float = POWER) -> float:
    """Gain in accuracy of one run over its base model on the same questions that a paired interval shows.

    variance: of a question's difference; 1/2 for single greedy answers that have nothing in common.
    """
    z = scipy.stats.norm.ppf(0.5 + level / 2) + scipy.stats.norm.ppf(power)
    return float(z * np.sqrt(variance / n_questions))


def wins(n: int, chance: float = 0.5, needed: int = 6, level: float = 0.95, power: float = POWER) -> float:
    """The smallest true share of wins whose exact interval over n replicates is above `chance` with the given power.

    inf where n replicates never show it: fewer than `needed`, or none of their outcomes suffices.
    """
    enough = [k for k in range(n + 1) if clopper_pearson(k, n, level).low > chance]
    if n < needed or not enough:
        return float("inf")
    return float(scipy.optimize.brentq(lambda p: scipy.stats.binom.sf(enough[0] - 1, n, p) - power, chance, 1.0))


def table(grid: Grid, gains: pd.DataFrame, rules: dict) -> pd.DataFrame:
    """The table `POWERS`. gains: the table of that name; rules: thresholds.yaml.

    spread: standard deviation of the gain in greedy pass@1 between replicates, pooled over the grid's settings that
    have several (spread_from `replicates`), else the error of one run over questions (`questions`): less than the
    truth, and so is over_seeds then. over_seeds is inf below the replicates that a verdict needs.
    """
    gains = gains[(gains["scorer"] == DEFAULT_RULE) & (gains["metric"] == "greedy_accuracy")] if len(gains) else gains
    rows = []
    for name, study in grid.file.studies.items():
        ids = {run.id for run in grid.study_runs(study)}
        if not ids:
            continue
        n = len(study.model_seeds) if len(study.model_seeds) > 1 else len(study.run_seeds)
        for benchmark in study.benchmarks:
            here = gains[gains["question_set"] == benchmark]
            runs = here[here["id"].isin(ids)]
            questions = int(runs["n_questions"].max())
            error = float(((runs["high"] - runs["low"]) / (2 * scipy.stats.norm.ppf(0.975))).mean())
            spread, source = _between(here), "replicates"
            if not np.isfinite(spread):
                spread, source = error, "questions"
            rows.append(
                {"study": name, "question_set": benchmark, "metric": "greedy_accuracy", "n_questions": questions}
                | {"n_samples": 2 * questions, "n_seeds": n, "spread": spread, "spread_from": source}
                | {"within_a_run": over_questions(questions, variance=error**2 * questions)}
                | {"over_seeds": over_replicates(spread, n) if n >= rules["replicates"] else float("inf")}
                | {"wins": wins(n, rules["majority"], rules["winner_replicates"])}
            )
    return pd.DataFrame(rows, columns=list(POWERS))


def _between(gains: pd.DataFrame) -> float:
    """Standard deviation of the gain between replicates of a setting, pooled over settings; NaN without any two."""
    single = gains[gains["id"].notna()]
    groups = single.groupby(["mixture", "scale", "algorithm", "prompts", "start"], dropna=False, sort=False)["estimate"]
    squares, free = groups.apply(lambda g: ((g - g.mean()) ** 2).sum()).sum(), (groups.count() - 1).sum()
    return float(np.sqrt(squares / free)) if free else float("nan")
