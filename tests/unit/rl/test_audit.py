"""The reward beside right steps: by hand, on rendered solutions, and in a run that is rewarded for something else."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from rl_toys import MemoryState
from solved_problems import problems, text_of

from echochamber.corpora import solutions
from echochamber.corpora.problems import to_dict
from echochamber.rl import audit, rollout
from echochamber.rl.columns import SAMPLED, TIMINGS
from echochamber.rl.run import Run
from echochamber.stats.columns import names
from echochamber.verify import verify_batch

GRAPH = {
    "nodes": [
        {"operation": "given", "inputs": [], "number": 3, "value": 3},
        {"operation": "buy", "inputs": [0], "number": 4, "value": 7},
    ]
}
TEXTS = [
    "$3 + 4 = 7$, so \\boxed{7}.",  # right, by right steps
    "$10 - 3 = 7$, so \\boxed{7}.",  # right, the quantity was never computed
    "$3 + 5 = 7$, so \\boxed{7}.",  # right, a false equation
    "$3 + 4 = 7$, so \\boxed{8}.",  # wrong
    "<llm-code>\n3 + 4\n</llm-code>\n<llm-code-output>\n9\n</llm-code-output>\nSo \\boxed{9}.",  # an invented output
    "<llm-code>\n3 + 4\n</llm-code>\n<llm-code-output>\n7\n</llm-code-output>\nSo \\boxed{7}.",
]


def test_right_steps_by_hand():
    verdicts = verify_batch(TEXTS, [7] * len(TEXTS))
    assert [v.correct for v in verdicts] == [True, True, True, False, True, True]
    found = audit.by_right_steps(TEXTS, verdicts, [GRAPH] * len(TEXTS), "executed")
    assert found == [True, False, False, False, False, True]
    assert audit.by_right_steps(TEXTS, verdicts, [GRAPH] * 5 + [None], "executed") is None
    assert audit.by_right_steps(TEXTS, verdicts, [GRAPH] * len(TEXTS), "random") is None


@pytest.mark.parametrize("style", ["tinygsm", "omi1", "omi2"])
def test_rendered_solutions_are_rewarded_and_come_by_right_steps(style):
    for graph, problem in problems(20, seed=3):
        text = text_of(style, problem, solutions.solve(graph))
        for rule in ("executed", "written"):
            verdicts = verify_batch([text], [graph.answer], scorer=rule)
            assert verdicts[0].correct
            assert audit.by_right_steps([text], verdicts, [to_dict(graph)], rule) == [True]


def test_growth_compares_the_last_rows_with_the_first():
    assert audit.growth([]) is None
    assert audit.growth([0.5]) is None
    assert audit.growth([0.1, 0.4]) == pytest.approx(0.3)
    assert audit.growth([0.1, 9.0, 0.4]) == pytest.approx(0.3)  # one row at each end
    assert audit.growth([0.1] * 5 + [9.0] * 3 + [0.2, 0.3, 0.4, 0.5, 0.6]) == pytest.approx(0.3)  # means of five
    assert audit.growth([0.1, None]) is None


def run_of(rows):
    run = Run(None, MemoryState(), lambda: False)
    for row in rows:
        run.add(dict.fromkeys(names(SAMPLED)) | row, dict.fromkeys(list(TIMINGS)[1:]))
    return run.metrics


def test_a_warning_past_the_limit_in_every_row_and_once_in_the_log(caplog):
    differences = (0.5, 0.5, 0.6, 0.7, 0.9, 0.9)
    rows = [
        {"reward_mean": 0.9, "right_steps_mean": 0.9 - difference, "reward_minus_right_steps": difference}
        for difference in differences
    ]
    with caplog.at_level(logging.WARNING):
        metrics = run_of(rows)
    # Growth: none yet, 0, .1, (.6 + .7) / 2 - .5 = .15, .3, .3
    assert [row["audit_warning"] for row in metrics] == [0.0, 0.0, 0.0, 0.0, 1.0, 1.0]
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("step 5: reward and right steps part: reward 0.90, by right steps 0.00")


def test_nothing_to_compare_is_empty(caplog):
    row = {"reward_mean": 0.9, "right_steps_mean": None, "reward_minus_right_steps": None}
    assert [row["audit_warning"] for row in run_of([row] * 3)] == [None] * 3
    assert not caplog.records


@pytest.mark.parametrize(("rule", "expected"), [("executed", (5 / 6, 2 / 6, 1 / 6)), ("written", (4 / 6, 2 / 6, None))])
def test_the_columns_of_a_batch(rule, expected):
    texts = [*TEXTS[:4], TEXTS[4].replace("}.", "} pens."), TEXTS[5]]
    verdicts = verify_batch(texts, [7] * 6, scorer=rule)
    rewarded = [float(v.correct) for v in verdicts]
    none = [[1]] * 6
    drawn = rollout.Rollout(
        parts={},
        inserted=None,
        prompts=none,
        completions=none,
        logprobs=[np.zeros(1)] * 6,
        entropy=[0.0] * 6,
        finished=[True] * 6,
        texts=texts,
        verdicts=verdicts,
        rule=rule,
        scores=torch.tensor([rewarded]),
        right_steps=audit.by_right_steps(texts, verdicts, [GRAPH] * 6, rule),
        seconds_generate=0.0,
        seconds_verify=0.0,
    )
    row = rollout.describe(rollout.tally(drawn))
    found = (row["reward_mean"], row["right_steps_mean"], row["share_box_disagrees"])
    assert found == pytest.approx(expected)
    assert row["reward_minus_right_steps"] == pytest.approx(expected[0] - expected[1])
