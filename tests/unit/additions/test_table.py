"""CONTRIBUTING.md, "A table": the share of questions whose samples all say the same, in one file."""

from grown import Grown

UNANIMOUS = '''
"""Questions whose samples all give one answer."""

import numpy as np

from echochamber.analysis.tables.comparison import Comparison
from echochamber.stats.columns import MEASURED, OF_RUN, Column, Table
from echochamber.stats.intervals import question_intervals


def rows(before, after):
    alike = [(side.key == side.key[:, :1]).all(1) & (side.key[:, 0] >= 0) for side in (before, after)]
    ends = question_intervals(np.column_stack(alike)).T
    return [
        {"when": when, "estimate": estimate, "low": low, "high": high}
        for when, (estimate, low, high) in zip(("before", "after"), ends, strict=True)
    ]


COMPARISON = Comparison(
    Table("unanimous", "the share of questions with one answer", (*OF_RUN, Column("when", "text", "of RL"), *MEASURED)),
    rows,
    apart=("when",),
)
'''

USE = """
from pathlib import Path

import fabricated
import numpy as np

from echochamber.analysis import samples
from echochamber.analysis.tables import tables

study = {"mixtures": ["tg"], "prompts": ["synth-gsm"], "algorithms": ["grpo"], "benchmarks": ["synth-gsm"]}
grid = fabricated.grid(Path("results"), one=study | {"model_seeds": [0, 1]})
fabricated.fabricate(grid, questions=20, steps=(1, 16))
tables.write(tables.build(grid), Path("tables"))
table = tables.read(Path("tables"))["unanimous"]
assert len(table) == 2 * 2 + 2, len(table)  # of two runs, and of the setting over both
for id, run in grid.runs.items():
    drawn = samples.read(grid.paths.samples(id, "synth-gsm"))[16, "sample"]
    alike = [len(set(answers)) == 1 and answers[0] >= 0 for answers in drawn.key.tolist()]
    (row,) = table[(table["id"] == id) & (table["when"] == "after")].to_dict("records")
    assert abs(row["estimate"] - np.mean(alike)) < 1e-12 and row["n_questions"] == 20 and row["step"] == 16
assert (table[table["id"].isna()]["n_seeds"] == 2).all()
"""


IMPORT = "from echochamber.analysis.tables import unanimous"


def test_a_table_is_one_file_and_its_name_in_the_registry(tmp_path):
    grown = Grown(tmp_path)
    grown.add("analysis/tables/unanimous.py", UNANIMOUS)
    registry = "analysis/tables/comparisons.py"
    grown.register(registry, "from echochamber.analysis.tables import coverage, decomposition", IMPORT)
    grown.register(registry, "coverage,", "unanimous,")
    grown.run(USE)
