"""A grid that trains no model from scratch, through Snakemake."""

import pytest
from workflow_grid import Grid

GRID = """
name: imported
world: models of other people
hardware: {device: CPU}
question_sets:
  gsm8k: {kind: hub, dataset: gsm8k}
models:
  a: {import: someone/a}
  b: {import: someone/b, revision: v1}
algorithms:
  ppo: {kind: ppo}
prompts:
  gsm8k: {questions: gsm8k}
benchmarks:
  gsm8k: {questions: gsm8k}
studies:
  one:
    title: What does PPO do to them?
    models: [a, b]
    algorithms: [ppo]
    prompts: [gsm8k]
    benchmarks: [gsm8k]
    figures: [formats]
    claims: [C1]
"""


@pytest.fixture
def grid(tmp_path):
    grid = Grid(tmp_path, "imported")
    grid.file.write_text(GRID, encoding="utf-8")
    return grid


def test_no_job_makes_text_or_a_model(grid):
    jobs = grid.to_do()
    assert (jobs["posttrain"], jobs["evaluate"], jobs["questions"]) == (2, 4, 2)
    assert not {"tokenizer", "corpus", "corpus_shard", "mixture", "pretrain"} & set(jobs)


def test_a_dry_run_warns_where_no_claim_can_be_decided(grid):
    shown = grid.snakemake("--dry-run")
    assert "no claim of this grid can have a verdict: C1 has 1 of the 3 RL seeds that it needs" in shown.stdout


def test_its_plan_names_the_models_whose_size_is_a_guess(grid):
    planned = grid.snakemake("--", "plan")
    assert planned.returncode == 0, planned.stdout
    for name in "ab":
        assert f"guessed: models.{name} is taken for the paper's 1B" in planned.stdout
