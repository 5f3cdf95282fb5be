"""What a run refuses before it begins."""

import pytest

from echochamber.algorithms import algorithm
from echochamber.errors import UserError
from echochamber.rl.run import refuse_few_questions


def test_a_step_takes_no_prompt_twice():
    grpo = algorithm(kind="grpo", prompts_per_batch=8, update_batch=8)
    refuse_few_questions(grpo, range(8))
    with pytest.raises(UserError, match=r"prompts_per_batch: found 8, allowed: up to the 7 questions that there are"):
        refuse_few_questions(grpo, range(7))
    every = algorithm(kind="expert_iteration")
    refuse_few_questions(every, range(1))
    with pytest.raises(UserError, match=r"prompts_per_iteration: found 2, allowed: up to the 1 questions"):
        refuse_few_questions(algorithm(kind="expert_iteration", prompts_per_iteration=2), range(1))
