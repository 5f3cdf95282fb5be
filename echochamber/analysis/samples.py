"""samples.parquet as arrays: one row a step and question, one column a sample.

Every measure of a model is a function of these arrays, so a table can be made again without sampling again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from echochamber.evaluation import samples_file
from echochamber.formats import DEFAULT_RULE, FORMATS, RULES, RuleName

COLUMNS = (
    "step",
    "question_id",
    "mode",
    "sample",
    "tokens",
    "finished",
    "format",
    "flags",
    "format_authors",
    *(f"{what}_{rule}" for rule in RULES for what in ("correct", "answer_key")),
)
"""What the measures need; completions themselves are read for the examples only."""


class ByRule(NamedTuple):
    """What one rule says of the completions, (questions, samples) each; fields as in `Answers`."""

    correct: np.ndarray
    key: np.ndarray
    format: np.ndarray


@dataclass(frozen=True)
class Answers:
    """What one model answered at one step in one mode. Arrays are (questions, samples) unless said otherwise."""

    questions: np.ndarray
    """(questions,) ids, sorted."""
    correct: np.ndarray
    """bool, by the default rule; `by` gives the view of another."""
    format: np.ndarray
    """Index into `echochamber.formats.FORMATS`."""
    key: np.ndarray
    """Canonical answer as an integer that is the same for equal answers of this file; -1: no answer."""
    finished: np.ndarray
    """bool: the end token was seen."""
    degenerate: np.ndarray
    """bool: flagged as degenerate by the verifier."""
    tokens: np.ndarray
    """Length of the completion in tokens."""

    rules: Mapping[RuleName, ByRule] = field(default_factory=dict)
    """What each rule says."""

    def by(self, rule: RuleName) -> Answers:
        """The same completions as a rule judges them (and, `authors`, labels them)."""
        return replace(self, **self.rules[rule]._asdict())


Drawn = Mapping[tuple[int, str], Answers]
"""What one model or run answered on a question set: (step, mode) -> answers."""


def read(path: Path) -> dict[tuple[int, str], Answers]:
    """samples.parquet -> {(step, mode): Answers}, mode `greedy` or `sample`.

    Raises ValueError, in one line, if columns are missing, a format is unknown, or questions differ in their number
    of samples.
    """
    table = samples_file.read(path, COLUMNS)
    for rule in RULES:
        table[f"key_{rule}"] = pd.factorize(table[f"answer_key_{rule}"])[0]  # a missing answer becomes -1
    table["degenerate"] = has_flag(table["flags"], "repeats")
    for column in ("format", "format_authors"):
        index = table[column].map({name: i for i, name in enumerate(FORMATS)})
        if index.isna().any():
            unknown = table.loc[index.isna(), column].iloc[0]
            raise ValueError(f"{path}: {column}: found {unknown!r}, allowed: {', '.join(FORMATS)}")
        table[column] = index.astype(np.int8)
    return {
        (int(step), str(mode)): _answers(part, f"{path}: step {step}, mode {mode}")
        for (step, mode), part in table.groupby(["step", "mode"], sort=True)
    }


def _answers(part: pd.DataFrame, where: str) -> Answers:
    part = part.sort_values(["question_id", "sample"], kind="stable")
    questions, counts = np.unique(part["question_id"].to_numpy(dtype=str), return_counts=True)
    if counts.min() != counts.max():
        raise ValueError(f"{where}: found {counts.min()} to {counts.max()} samples a question, allowed: one number")
    shape = (len(questions), counts[0])
    arrays = {
        name: part[name].to_numpy(dtype=kind).reshape(shape)
        for name, kind in (
            *((f"correct_{rule}", bool) for rule in RULES),
            *((f"key_{rule}", np.int64) for rule in RULES),
            ("format", np.int8),
            ("format_authors", np.int8),
            ("finished", bool),
            ("degenerate", bool),
            ("tokens", np.int64),
        )
    }
    form, authors = arrays.pop("format"), arrays.pop("format_authors")
    rules = {
        rule: ByRule(arrays.pop(f"correct_{rule}"), arrays.pop(f"key_{rule}"), authors if rule == "authors" else form)
        for rule in RULES
    }
    return Answers(questions=questions, **rules[DEFAULT_RULE]._asdict(), **arrays, rules=rules)


JUDGED = {f"{what}_{DEFAULT_RULE}": what for what in ("correct", "answer", "status")}
"""Columns of samples.parquet by the default rule -> their names where only that rule is looked at."""


def completions(path: Path, columns: Sequence[str], filters: list[tuple[Any, ...]]) -> pd.DataFrame:
    """Rows of samples.parquet with `columns`, among which `correct`, `answer` and `status` are by the default rule.

    filters: as pyarrow takes them, over the same names.
    """
    stored = {short: name for name, short in JUDGED.items()}
    table = samples_file.read(
        path,
        [stored.get(name, name) for name in columns],
        [(stored.get(name, name), *rest) for name, *rest in filters],
    )
    return table.rename(columns=JUDGED)


def has_flag(flags: pd.Series, name: str) -> np.ndarray:
    """Which completions carry a flag; flags are a list, or one string with separators."""
    wanted = {value: name in split_flags(value) for value in flags.map(_hashable).unique()}
    return flags.map(_hashable).map(wanted).to_numpy(dtype=bool)


def _hashable(value: object) -> object:
    return tuple(value) if isinstance(value, list | np.ndarray | set | frozenset) else value


def split_flags(value: object) -> tuple[str, ...]:
    """The flags of a completion, which are a tuple, or one string with separators."""
    if isinstance(value, str):
        return tuple(value.replace(",", " ").replace(";", " ").split())
    return value if isinstance(value, tuple) else ()
