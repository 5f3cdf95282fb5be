"""What the report says of an algorithm."""

from __future__ import annotations

import pytest

from echochamber.algorithms import algorithm
from echochamber.report.report_facts import _algorithm


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": "grpo", "truncated": "mask", "lora": {"rank": 4}}, "; truncated completions mask; LoRA of rank 4"),
        ({"kind": "grpo", "sampling": {"tool": "python"}}, "; reward executed; tool python"),
        ({"kind": "grpo"}, "clip 0.2; reward executed"),
        ({"kind": "expert_iteration"}, "on the right ones, duplicates dropped, "),
        ({"kind": "expert_iteration", "reward": "boxed"}, "on the ones that earn by boxed, duplicates dropped, "),
        ({"kind": "expert_iteration", "truncated": "judged"}, "; truncated completions judged"),
    ],
)
def test_settings_that_tell_algorithms_apart_are_said(settings, said):
    assert said in _algorithm(algorithm(**settings))
