"""Keep the table of a manipulation check: shares and accuracies of a grid's base models by format, one CSV file."""

import argparse
import sys
from pathlib import Path

import pandas as pd

from echochamber.analysis import samples
from echochamber.analysis.tables.scores import scores
from echochamber.errors import UserError
from echochamber.formats import DEFAULT_RULE
from echochamber.grid import parsing
from echochamber.grid.expansion import Grid
from echochamber.jobs.files import read_json_lines, write_csv
from echochamber.stats import metrics

WRITTEN = 0.05
"""Formats below this share are left out."""

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--grid", type=Path, required=True, help="the grid file")
parser.add_argument("--out", type=Path, required=True, help="the CSV file")
arguments = parser.parse_args()


def rows(grid: Grid) -> list[dict]:
    """One a base model, question set and format that it writes: share and accuracy with intervals over questions.

    beyond_guess: accuracy less that of always giving the most common answer, which needs no reading.
    """
    table = []
    for (id, benchmark), model in grid.evaluations.items():
        path = grid.paths.samples(id, benchmark)
        if not path.exists():
            raise UserError(f"{path}: found nothing, allowed: the samples of {id}")
        answers = samples.read(path)
        last = max(step for step, _ in answers)
        measured = pd.DataFrame(scores(None, answers[last, "sample"]))
        measured = measured[measured["scorer"] == DEFAULT_RULE].set_index(["metric", "format"])
        asked = read_json_lines(grid.paths.questions(grid.file.benchmarks[benchmark].questions, "test"))
        guess = float(metrics.chance_at_k([row["answer"] for row in asked], 1))
        for name in measured.loc["share"].index:
            share = measured.loc["share", name]
            if share["estimate"] >= WRITTEN:
                right = measured.loc["accuracy_within_format", name]
                table.append(
                    {"mixture": model.mixture, "scale": model.scale, "model_seed": model.seed, "format": name}
                    | {f"share{end}": share[of] for end, of in ENDS.items()}
                    | {f"accuracy{end}": right[of] for end, of in ENDS.items()}
                    | {"guess": guess, "beyond_guess": right["estimate"] - guess, "samples": share["n_samples"]}
                )
    return table


ENDS = {"": "estimate", "_low": "low", "_high": "high"}
try:
    table = pd.DataFrame(rows(parsing.load(arguments.grid)))
except (UserError, parsing.GridError, ValueError) as error:
    sys.exit(" ".join(str(error).split()))
write_csv(arguments.out, table.round(4))
print(table.round(3).to_string(index=False))
