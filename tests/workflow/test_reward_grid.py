"""Rewards of one's own through Snakemake: what is logged of them, and what a changed function runs again."""

import json
from pathlib import Path

import checkpoints
import pandas as pd
import pytest
from workflow_grid import Grid

OWN = """
def vowels(question, completion, golds):
    assert question.startswith("Where is ") and golds == [question[9:-1], "there"]
    return sum(letter in "aeiou" for letter in completion) / 10
"""


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    grid = Grid(tmp_path_factory.mktemp("reward"), "reward")
    grid.file.write_text(Path(__file__).with_name("reward.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    (grid.folder / "own_reward.py").write_text(OWN)
    for split, places in (("train", "ABCDEFGH"), ("test", "YZ")):
        rows = [{"question": f"Where is {place}?", "answer": [place, "there"]} for place in places]
        (grid.folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    checkpoints.save(grid.folder / "tiny")
    return grid


def test_the_parts_of_a_reward_are_logged_and_add_up(done, grid):
    rows = pd.read_csv(grid.results / "runs/imported/tiny/mixed/places/seed0/metrics.csv")
    assert list(rows.columns[-3:]) == ["part_named", "part_vowels", "part_short"]
    expected = rows["part_named"] + 0.5 * rows["part_vowels"] + 0.1 * rows["part_short"]
    assert rows["reward_mean"].tolist() == pytest.approx(expected.tolist())
    assert rows["part_short"].between(-1, 0).all()
    plain = pd.read_csv(grid.results / "runs/imported/tiny/exact/places/seed0/metrics.csv")
    assert not [name for name in plain if name.startswith("part_")]
    training = pd.read_csv(grid.results / "tables/training.csv").set_index("algorithm")
    assert training.loc["mixed", "part_vowels"].notna().all()
    assert training.loc["exact", "part_vowels"].isna().all()


def test_a_changed_function_runs_the_runs_again_that_it_rewards_and_no_others(done, grid):
    assert grid.to_do() == {}
    (grid.folder / "own_reward.py").write_text(OWN.replace("/ 10", "/ 20"))
    assert grid.to_do()["posttrain"] == 1


def test_a_function_that_is_not_there_is_one_line_before_anything_runs(done, grid):
    (grid.folder / "own_reward.py").write_text("")
    ran = grid.snakemake()
    assert ran.returncode
    said = "algorithms.mixed.reward.parts.vowels.reward: name: found 'own_reward:vowels', allowed: a function"
    assert sum(said in line for line in ran.stdout.splitlines()) == 1
    assert "Traceback" not in ran.stdout
