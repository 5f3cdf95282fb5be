"""What models answered, told apart by a behaviour in place of the format."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from echochamber.analysis import samples
from echochamber.analysis.samples import Answers
from echochamber.evaluation import labels
from echochamber.evaluation.labels import Kind
from echochamber.formats import DEFAULT_RULE, RuleName


class Labelled:
    """The samples of one evaluation and their labels."""

    def __init__(self, path: Path, labels_path: Path, kinds: list[Kind]) -> None:
        """Raises ValueError, in one line, if the labels are not those of these samples."""
        self.path, self.drawn = path, samples.read(path)
        table = labels.read(labels_path, [kind.column for kind in kinds])
        by = table.groupby(["step", "mode"], sort=True)
        self._labels = {(int(step), str(mode)): part for (step, mode), part in by}
        sizes = {key: answers.correct.size for key, answers in self.drawn.items()}
        if {key: len(part) for key, part in self._labels.items()} != sizes:
            raise ValueError(f"{labels_path}: found labels of other completions, allowed: of {path}")

    @property
    def last(self) -> int:
        """The last checkpoint."""
        return max(step for step, _ in self.drawn)

    @property
    def steps(self) -> list[int]:
        """The checkpoints, in order."""
        return sorted({step for step, _ in self.drawn})

    def sampled(self, step: int, kind: Kind, rule: RuleName = DEFAULT_RULE) -> Answers | None:
        """The samples of a checkpoint, whose `format` is an index into the labels of a kind; None: there are none."""
        answers = self.drawn.get((step, "sample"))
        return None if answers is None else replace(answers.by(rule), format=self._index(step, kind, answers))

    def _index(self, step: int, kind: Kind, answers: Answers) -> np.ndarray:
        part = self._labels[step, "sample"].sort_values(["question_id", "sample"], kind="stable")
        index = part[kind.column].map({name: i for i, name in enumerate(kind.labels)})
        if index.isna().any():
            unknown = part.loc[index.isna(), kind.column].iloc[0]
            raise ValueError(f"{kind.column}: found the label {unknown!r}, allowed: {', '.join(kind.labels)}")
        return index.to_numpy(dtype=np.int8).reshape(answers.correct.shape)


def of_kind(kind: Kind) -> dict[str, str | None]:
    """The columns of every table of behaviours that say which one it is."""
    return {"behaviour": kind.behaviour, "mark": kind.mark}


def labelled_rows(rows: list[dict], **more: object) -> list[dict]:
    """Rows of a table of formats as those of labels."""
    renamed = [{("label" if name == "format" else name): value for name, value in row.items()} for row in rows]
    return [dict(more) | row for row in renamed]
