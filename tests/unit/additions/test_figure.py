"""CONTRIBUTING.md, "A figure": the mean reward over RL, in one file."""

from grown import Grown

REWARDS = '''
"""Mean reward over RL."""

from echochamber.figures import captions, style


def draw(view):
    figure, ((ax,),) = style.panels(1)
    data = view.training[["id", "step", "reward_mean"]]
    for _, run in data.groupby("id"):
        ax.plot(run["step"], run["reward_mean"])
    style.title(ax, "mean reward", view.world)
    return figure, "Mean reward of rollout batches. " + captions.tail(view, view.study.benchmarks), data
'''

USE = """
from pathlib import Path

import fabricated

from echochamber import figures
from echochamber.analysis.tables import tables

study = {"mixtures": ["tg"], "prompts": ["synth-gsm"], "algorithms": ["grpo"], "benchmarks": ["synth-gsm"]}
grid = fabricated.grid(Path("results"), one=study | {"figures": ["rewards"]})
assert grid.figures == [("one", "rewards")]
fabricated.fabricate(grid, questions=10, steps=(1, 16))
figure, caption, data = figures.draw(grid, "one", "rewards", tables.build(grid))
figures.save(figure, caption, data, Path("one-rewards"))
assert all(Path("one-rewards" + end).stat().st_size for end in (".pdf", ".png", ".csv", ".caption.txt"))
assert list(data["step"]) == list(range(1, 17)), list(data["step"])
"""


def test_a_figure_is_one_file_and_one_line(tmp_path):
    grown = Grown(tmp_path)
    grown.add("figures/rewards.py", REWARDS)
    grown.register("settings/grid_file.py", '"process",', '"rewards",')
    grown.run(USE)
