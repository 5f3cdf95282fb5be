"""Whether RL is rewarded for what it is meant to learn: the reward beside right steps, batch by batch.

A policy that has found a way to be rewarded without solving the question earns more and more that its steps do not
account for. Questions with a gold graph show it: of each rewarded completion it is known whether every quantity was
computed, by true equations (`verify.reasoning.steps`, a lower bound: shortcuts do not count, nor does a notebook whose
stated output is not what its code gives, whatever the rule rewards). So the level of the difference says little, and
its growth is what is watched.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from echochamber.formats import RULES
from echochamber.stats.columns import Column, names
from echochamber.verify import Verdict
from echochamber.verify.reasoning.steps import judge_steps
from echochamber.verify.reasoning.traces import trace

LIMIT = 0.2
"""Growth of `reward_minus_right_steps` since the start of the run beyond which reward and right steps have parted."""
WINDOW = 5
"""Rows of metrics.csv that are averaged at the start and at the end; fewer while there are less than twice as many."""
DECLARED = (
    Column("right_steps_mean", "number", "completions that are rewarded and come by right steps"),
    Column("reward_minus_right_steps", "number", "mean reward minus that"),
    Column("share_box_disagrees", "number", "notebooks whose box is not what their code gives (rule `executed` alone)"),
    Column("audit_warning", "integer", "1 where reward and right steps have parted beyond the limit, else 0"),
)
COLUMNS = names(DECLARED)
"""Of a run's metrics.csv; empty where no right answers are rewarded or the questions have no graph."""

log = logging.getLogger(__name__)


def by_right_steps(
    texts: Sequence[str], verdicts: Sequence[Verdict], graphs: Sequence[dict[str, Any] | None], reward: Any
) -> list[bool] | None:
    """Which completions are right and come by right steps; None where there is nothing to compare.

    graphs: of the question of each completion, as `corpora.problems.to_dict` gives it.
    """
    if reward not in RULES or any(graph is None for graph in graphs):
        return None
    known: dict[tuple[str, int], bool] = {}
    by_steps = []
    for text, verdict, graph in zip(texts, verdicts, graphs, strict=True):
        if graph is None or not verdict.correct:
            by_steps.append(False)
            continue
        key = (text, id(graph))
        if key not in known:
            known[key] = judge_steps(graph, trace(text, verdict.format)) == "right"
        by_steps.append(known[key])
    return by_steps


def growth(differences: Sequence[float | None]) -> float | None:
    """`reward_minus_right_steps` of the last rows minus that of the first; None where it is not known.

    differences: that column from a run's first row on.
    """
    known = [value for value in differences if value is not None]
    window = min(WINDOW, len(known) // 2)
    if window == 0 or len(known) < len(differences):
        return None
    first, last = known[:window], known[-window:]
    return (sum(last) - sum(first)) / window


def audit(rows: Sequence[dict[str, float | None]]) -> float | None:
    """The last row's `audit_warning`; the first time that the limit is passed, a line of the log says so.

    rows: a run's metrics.csv, the last one without its `audit_warning`.
    """
    grown = growth([row["reward_minus_right_steps"] for row in rows])
    if grown is None:
        return None if rows[-1]["reward_minus_right_steps"] is None else 0.0
    warned = grown > LIMIT
    if warned and not any(row.get("audit_warning") for row in rows[:-1]):
        last = rows[-1]
        log.warning(
            "step %d: reward and right steps part: reward %.2f, by right steps %.2f, their difference has grown by "
            "%.2f since the start of the run (limit %.2f)",
            *(last["step"], last["reward_mean"], last["right_steps_mean"], grown, LIMIT),
        )
    return float(warned)
