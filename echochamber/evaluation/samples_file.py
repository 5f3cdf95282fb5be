"""samples.parquet and probe.parquet: their columns, and the one reader. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from echochamber.formats import RULES
from echochamber.stats.columns import Column, Table

SAMPLES = Table(
    "samples.parquet",
    "a completion of a question by a model or run at a checkpoint",
    (
        Column("id", "text", "of the model or run"),
        Column("step", "count", "checkpoint; 0 for an imported model", "updates or rollout batches"),
        Column("question_set", "text", "name of the benchmark, or of the prompts"),
        Column("question_id", "text", "of the question in its question set"),
        Column("mode", "text", "`greedy` or `sample`"),
        Column("sample", "count", "number among the samples of the question, from 0"),
        Column("temperature", "number", "of sampling; empty for greedy decoding"),
        Column("top_p", "number", "of sampling; empty for greedy decoding"),
        Column("completion", "text", "as decoded, without the end token"),
        Column("tokens", "count", "length of the completion, the end token included", "tokens"),
        Column("finished", "boolean", "the end token was sampled"),
        Column("logprob", "number", "of the completion, before top_p", "nats"),
        Column("format", "text", "label (`echochamber.formats`)"),
        Column("format_authors", "text", "label by the released code"),
        Column("flags", "text", "of `truncated`, `mixed`, `repeats`, `box_disagrees`, `tool`, joined by commas"),
        *(
            column
            for rule in RULES
            for column in (
                Column(f"correct_{rule}", "boolean", f"right by the rule `{rule}`"),
                Column(f"answer_{rule}", "text", f"the answer that `{rule}` reads; empty: none"),
                Column(f"answer_key_{rule}", "text", "its canonical form: equal for equal answers"),
                Column(f"status_{rule}", "text", "how it was reached, or why not (`verify.verdict.STATUSES`)"),
            )
        ),
    ),
)


def read(path: Path, columns: Sequence[str], filters: list[tuple[Any, ...]] | None = None) -> pd.DataFrame:
    """Some columns of some rows. filters: as pyarrow takes them.

    Raises:
        ValueError: the file lacks columns; one line names them.
    """
    missing = sorted(set(columns) - set(pq.read_schema(path).names))
    if missing:
        raise ValueError(f"{path}: found no column {', '.join(missing)}, allowed: all of {', '.join(columns)}")
    table: pd.DataFrame = pq.read_table(path, columns=list(columns), filters=filters).to_pandas()
    return table
