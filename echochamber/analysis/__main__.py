"""python -m echochamber.analysis > docs/tables.md: all tables and their columns, from the declarations."""

from __future__ import annotations

from collections.abc import Iterator

from echochamber.analysis.behaviours import tables as behaviours
from echochamber.analysis.claims.claims import COLUMNS as CLAIMS
from echochamber.analysis.tables.forecasts import FORECAST
from echochamber.analysis.tables.judged import JUDGED
from echochamber.analysis.tables.judged_pairs import JUDGED_PAIRS
from echochamber.analysis.tables.tables import TABLES
from echochamber.data.contamination import CONTAMINATION
from echochamber.data.mixture import MIXTURES
from echochamber.evaluation.samples_file import SAMPLES
from echochamber.grid.status import STATUS
from echochamber.planning.plan import PLAN
from echochamber.pretraining import columns as pretraining
from echochamber.rl import columns as rl
from echochamber.stats.columns import Table

ROOMS: dict[str, tuple[Table, ...]] = {
    "Of each job": (SAMPLES, rl.METRICS, rl.TIMINGS, pretraining.METRICS, pretraining.TIMINGS),
    "`tables/`, and `studies/<study>/` of one study": (*TABLES.values(), JUDGED, JUDGED_PAIRS),
    "`behaviours/<study>/`, of a grid with behaviours": tuple(behaviours.TABLES.values()),
    "Of the whole grid": (CLAIMS, FORECAST, behaviours.FORECAST, CONTAMINATION, PLAN, MIXTURES, STATUS),
}
"""Heading -> tables."""

HEAD = """# Tables

What the columns of every table are called, hold and mean. This page is made from the declarations beside the code that
writes the tables (`python -m echochamber.analysis > docs/tables.md`); a table with other columns is refused
when it is written and when it is read.

The tables of models and runs have three forms under `results/<grid>/`. `measures/<id>/<benchmark>.parquet` is what one
evaluation adds to them: one row, and a column a table that holds the list of its rows (of gains also the `difference`
on each question). `studies/<study>/` is joined from the measures of one study, for its figures and claims (Parquet).
`tables/` is joined from those of the whole grid, for people and the report: CSV, but Parquet where a table holds texts,
since an empty text is not a missing one there. Rows over several seeds, and what mean fields are fitted on, are of the
runs that stand together: the study's, or the grid's. All other tables are CSV files.

Kinds: `text`; `number`; `boolean`; `count`, a whole number that is never empty; `integer`, one that may be. An empty
field of a CSV file is a missing value. Shares lie in [0, 1]; intervals have 95 %.
"""


def page() -> str:
    """The text of docs/tables.md."""
    return "\n".join([HEAD, *(line for room, tables in ROOMS.items() for line in _room(room, tables))])


def _room(heading: str, tables: tuple[Table, ...]) -> Iterator[str]:
    yield f"## {heading}\n"
    for table in tables:
        yield f"### {table.name}{' (Parquet)' if table.texts else ''}\n"
        yield f"One row: {table.row}.\n"
        yield "| column | kind | unit | meaning |\n|---|---|---|---|"
        for column in table.columns:
            cells = (f"`{column.name}`", column.kind, column.unit, column.meaning.replace("|", "\\|"))
            yield f"| {' | '.join(cells)} |"
        yield ""
        if table.notes:
            yield f"{table.notes.strip()}\n"


if __name__ == "__main__":
    print(page(), end="")
