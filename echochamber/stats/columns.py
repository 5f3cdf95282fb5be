"""Tables as declarations: what each column is called, holds and means, beside the code that writes it.

A `Table` is written and read by its declaration: `typed` refuses other columns than it names, `read` gives the types
back that `typed` gave. docs/tables.md is made from the declarations (`python -m echochamber.analysis`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["text", "integer", "count", "number", "boolean", "numbers"]
"""`integer` may be empty, `count` never is; `numbers` is a list of them, in Parquet alone."""


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    """Empty: none (a name, a share, a count of what the meaning says)."""


@dataclass(frozen=True)
class Table:
    """The columns of a table, in order. Iterates over their names."""

    name: str
    """Of its file, without the ending."""
    row: str
    """What one row is."""
    columns: tuple[Column, ...]
    notes: str = ""
    """What is to be said beside the columns, in Markdown."""
    extends: bool = False
    """Whether more columns may follow, which `notes` names."""
    texts: bool = False
    """Whether it holds what a model or a file says: it is Parquet then, where an empty text is not a missing one."""

    def __iter__(self) -> Iterator[str]:
        return (column.name for column in self.columns)

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.name}.{'parquet' if self.texts else 'csv'}"

    def _of(self, kind: Kind) -> list[str]:
        return [column.name for column in self.columns if column.kind == kind]

    def typed(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame with its integers as integers that may be empty.

        Raises:
            ValueError: its columns are not the declared ones.
        """
        self.check(frame.columns, self.name)
        return frame.astype(dict.fromkeys(self._of("integer"), "Int64"))

    def check(self, columns: Iterable[str], where: str) -> None:
        """Raise ValueError, which says `where`, if columns are missing, unknown or in another order."""
        present, declared = list(columns), list(self)
        if (present[: len(declared)] if self.extends else present) != declared:
            missing = [name for name in declared if name not in present]
            unknown = [] if self.extends else [name for name in present if name not in declared]
            wrong = f"{', '.join(missing) or 'none'} missing, {', '.join(unknown) or 'none'} unknown"
            raise ValueError(f"{where}: found columns with {wrong}, allowed: {', '.join(declared)}, in this order")

    def read(self, path: Path) -> pd.DataFrame:
        """The file, CSV or Parquet, as `typed` gave it. In CSV an empty field is missing; a name like NA never is.

        Raises:
            ValueError: its columns are not the declared ones.
        """
        import pandas as pd  # here: most jobs declare tables and read none

        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
        else:
            names = dict.fromkeys(self._of("text"), "str")
            frame = pd.read_csv(path, dtype=names, keep_default_na=False, na_values=[""], low_memory=False)
        self.check(frame.columns, str(path))
        return self.typed(frame)


def names(columns: Iterable[Column]) -> tuple[str, ...]:
    """Of the columns, in order."""
    return tuple(column.name for column in columns)


ID = Column("id", "text", "of the model or run (`grid.ids`); empty: several replicates of one setting together")
SETTING = (
    Column("mixture", "text", "name of the mixture, or of an imported model"),
    Column("scale", "text", "name of the model size; `imported` for an imported model"),
    Column("model_seed", "integer", "seed of pretraining"),
    Column("algorithm", "text", "name in the grid file; empty for a model without RL"),
    Column("prompts", "text", "name of the prompts that RL trains on"),
    Column("run_seed", "integer", "seed of RL"),
)
AXES = names(SETTING)
"""Of a model or a run, beside its id."""
MEASURED = (
    Column("estimate", "number", "the measurement"),
    Column("low", "number", "lower end of its 95 % interval; empty: the data give none"),
    Column("high", "number", "upper end"),
    Column("n_questions", "integer", "questions that it rests on"),
    Column("n_samples", "integer", "completions that it rests on"),
    Column("n_seeds", "integer", "replicates that it rests on; 1: the interval is over questions alone"),
)
ESTIMATE = names(MEASURED)
"""Of a measurement."""
START = Column(
    "start", "text", "of the run, as its id has it: `+step200`, `+mid+sft` of stages; empty: the end of pretraining"
)
STEP = Column("step", "integer", "checkpoint: 0 is the base model of a run", "updates or rollout batches")
QUESTION_SET = Column("question_set", "text", "name of the benchmark")
SAMPLED = Column("completions_sampled", "number", "completions that RL had sampled before this checkpoint")
OF_RUN = (ID, *SETTING, START, STEP, QUESTION_SET)
"""Of a run on a question set."""
FORMAT = Column("format", "text", "label of the format; empty: all formats, or none is meant")
K = Column("k", "integer", "samples that are drawn together; empty where the measure has none")
QUESTION_ID = Column("question_id", "text", "of the question in its question set")
QUESTION = Column("question", "text", "as it is asked")
GOLD = Column("gold", "text", "the right answer")
SAMPLE = Column("sample", "integer", "number among the samples of the question, from 0")
COMPLETION = Column("completion", "text", "what the model wrote; long ones are cut, what cannot be printed is escaped")
ANSWER = Column("answer", "text", "that the default rule reads; empty: none")
STATUS = Column("status", "text", "how the answer was reached, or why there is none (`verify.verdict.STATUSES`)")
