"""Steps, checkpoints, prompt order and learning rate, by hand."""

import subprocess
import sys
from collections import Counter

import pytest

from echochamber.algorithms import ExpertIteration, algorithm
from echochamber.rl import schedule


def test_the_paper_has_about_1160_rollout_batches():
    assert schedule.total_steps(algorithm(kind="ppo"), 7473) == 1167


@pytest.mark.parametrize(("passes", "prompts", "steps"), [(1.5, 1024, 48), (1, 5, 1), (0.1, 32, 1), (3, 100, 9)])
def test_total_steps(passes, prompts, steps):
    settings = algorithm(kind="grpo", passes=passes, prompts_per_batch=32, update_batch=32)
    assert schedule.total_steps(settings, prompts) == steps


def test_checkpoints_by_hand():
    settings = algorithm(kind="grpo", passes=2.5, prompts_per_batch=10, update_batch=10, log_spaced_checkpoints=3)
    # 100 prompts: 25 steps; 1, 5, 25 log-spaced; passes end at 10 and 20
    assert schedule.checkpoint_steps(settings, 100) == [1, 5, 10, 20, 25]
    bare = settings.model_copy(update={"checkpoint_every_pass": False, "log_spaced_checkpoints": 0})
    assert schedule.checkpoint_steps(bare, 100) == [25]


def test_checkpoints_of_the_paper():
    steps = schedule.checkpoint_steps(algorithm(kind="ppo"), 7473)
    assert steps[0] == 1
    assert steps[-1] == 1167
    assert {116, 233, 350, 467, 583, 700, 817, 934, 1050, 1167} <= set(steps)
    assert len(steps) == 24  # 15 log-spaced ones and 10 passes; both have the last


def test_expert_iteration_keeps_every_iteration():
    assert schedule.checkpoint_steps(ExpertIteration(kind="expert_iteration", iterations=3), 7473) == [1, 2, 3]


def test_every_pass_takes_every_prompt_once_in_an_order_of_its_own():
    stream = [number for step in range(15) for number in schedule.prompt_numbers(step, 4, 20, seed=3)]
    passes = [stream[begin : begin + 20] for begin in range(0, 60, 20)]
    assert all(sorted(numbers) == list(range(20)) for numbers in passes)
    assert passes[0] != passes[1] != passes[2]
    assert stream[:20] != [number for step in range(5) for number in schedule.prompt_numbers(step, 4, 20, seed=4)]


def test_a_batch_larger_than_the_prompts_takes_each_equally_often():
    assert set(Counter(schedule.prompt_numbers(0, 21, 7, seed=0)).values()) == {3}


def test_learning_rate_warms_up_then_falls_to_its_fraction():
    rates = [schedule.learning_rate(2.0, update, 101, warmup=0.1, final=0.1) for update in range(101)]
    assert rates[:11] == pytest.approx([2.0 * (i + 1) / 11 for i in range(11)])  # 11 = ceil(10.1)
    assert max(rates) == pytest.approx(2.0)
    assert rates[-1] == pytest.approx(0.2)
    assert rates[11:] == sorted(rates[11:], reverse=True)
    assert rates[56] == pytest.approx(1.1, abs=0.02)  # half of the cosine


def test_torch_is_not_imported():
    program = "import sys, echochamber.rl.schedule; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
