"""From what each evaluation adds to the tables of a study or of a whole grid.

Tables of single rows are passed on, evaluation by evaluation, so that memory does not grow with them. What is pooled
over seeds, and what theory, dynamics and power say, is small, and made at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from echochamber.analysis.claims.thresholds import thresholds
from echochamber.analysis.replicates import with_seeds
from echochamber.analysis.tables import completion_tables, gains, logs, measure, power
from echochamber.analysis.tables.comparisons import COMPARISONS
from echochamber.analysis.tables.table_files import Writer, no_rows
from echochamber.analysis.theory import neutral, theory_tables
from echochamber.analysis.theory.selection import SUMMARY
from echochamber.grid.expansion import Grid
from echochamber.stats.columns import ID, SETTING, START, Column, Table

RUNS = Table(
    "runs",
    "a model or a run, with its axes: the join key of all tables",
    (
        ID,
        Column("kind", "text", "`model` or `run`"),
        Column("model_id", "text", "the model itself, or the base model of the run"),
        *SETTING[:4],
        Column("algorithm_kind", "text", "`kind` of the algorithm in the grid file"),
        *SETTING[4:],
        START,
        Column("samples_per_step", "number", "completions of a rollout batch; empty where that is no fixed number"),
        Column("random_numbers", "text", "`independent` or `common`; empty for an imported model"),
    ),
)
TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        *(RUNS, logs.TRAINING, measure.SCORES, gains.GAINS, measure.PER_QUESTION),
        *(comparison.table for comparison in COMPARISONS.values()),
        *(measure.STYLES, measure.SCORERS, measure.SAMPLES),
        *(theory_tables.THEORY, theory_tables.DYNAMICS, theory_tables.OUTCOMES, theory_tables.DRIFT),
        *(theory_tables.PICKS, SUMMARY, completion_tables.ERRORS, completion_tables.PROCESS),
        *(completion_tables.EXAMPLES, power.POWERS),
    )
}
"""All that `join` gives."""
POOLED = {name: list(comparison.apart) for name, comparison in COMPARISONS.items()} | {
    completion_tables.ERRORS.name: ["among", "category"],
    completion_tables.PROCESS.name: ["measure", "k", "format"],
}
"""Tables with rows of settings after those of runs -> what tells the measures of a run apart."""
GATHERED = (*POOLED, gains.GAINS.name)


def join(grid: Grid, measured: Callable[[str, str], Mapping[str, pd.DataFrame]], write: Writer) -> None:
    """Write the rows of all `TABLES`, each in the order of the grid, in one part or several.

    Args:
        measured: id and benchmark -> what that evaluation adds (`measure.OF_MODELS`, `measure.OF_RUNS`).

    Raises FileNotFoundError or ValueError, in one line, if something of the grid is missing or unreadable.
    """
    index = pd.DataFrame(grid.index(), columns=list(RUNS))
    write(RUNS.name, index)
    for part in (logs.TRAINING.typed(part) for part in logs.training(grid)):
        write(logs.TRAINING.name, part)
    gathered: dict[str, list[pd.DataFrame]] = {name: [] for name in GATHERED}
    twins: list[pd.DataFrame] = []
    for id, benchmark in grid.evaluations:
        for name, rows in measured(id, benchmark).items():
            if name in gathered:
                gathered[name].append(rows)
            else:
                write(name, rows)
            if name == measure.STYLES.name:
                twins.append(neutral.of_twins(rows))
    for name, of in POOLED.items():
        write(name, with_seeds(_all(gathered[name], TABLES[name]), TABLES[name], of))
    of_settings = gains.with_settings(_all(gathered[gains.GAINS.name], gains.OF_QUESTIONS))
    write(gains.GAINS.name, of_settings)
    for name, rows in theory_tables.build(grid, _all(twins, measure.STYLES), write).items():
        write(name, rows)
    write(power.POWERS.name, power.table(grid, of_settings, thresholds()))


def _all(parts: list[pd.DataFrame], table: Table) -> pd.DataFrame:
    """The parts together, in their types; no rows where there is none."""
    return table.typed(pd.concat(parts, ignore_index=True)) if parts else no_rows(table)
