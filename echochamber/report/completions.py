"""What the completion browser shows: completions of each model and run, packed; and in which page they are.

Texts are a model's: control and bidirectional characters are written as escapes, long ones are cut, and the page puts
them into its text nodes alone. A run lies in the same page as its base model, so that the two can stand side by side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from echochamber.evaluation import samples_file
from echochamber.formats import DEFAULT_RULE, FORMATS, RULES
from echochamber.grid.expansion import Grid
from echochamber.grid.ids import Model, Run
from echochamber.jobs.files import read_json_lines
from echochamber.report.web import LONGEST, cut, packed
from echochamber.verify.verdict import FLAGS, STATUSES

ROWS = 20_000
"""Completions of one evaluation: where there are more, the first questions."""
IN_REPORT = 2_700_000
"""Bytes of packed completions in the report itself; further runs lie in pages beside it."""
IN_PAGE = 20_000_000
"""Of a page beside it: with what else is in it, none is over 25 MB."""
IN_ALL = 150_000_000
"""Of all pages together: with very many evaluations, fewer questions of each."""
FOLDER = "report"
"""Beside report.html: the pages."""
COLUMNS = (
    *("step", "question_id", "mode", "sample", "completion", "tokens", "finished", "format", "flags"),
    *(f"{what}_{rule}" for rule in RULES for what in ("correct", "answer")),
    f"status_{DEFAULT_RULE}",
)


@dataclass(frozen=True)
class Chunk:
    """The completions of one model or run on one question set."""

    id: str
    """Of the element that holds them."""
    text: str
    """As `web.packed` gives it."""
    questions: int
    left_out: int
    """Questions that are not shown."""


@dataclass
class Page:
    """The chunks of one page, by (id of the model or run, question set)."""

    name: str
    chunks: dict[tuple[str, str], Chunk] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return sum(len(chunk.text) for chunk in self.chunks.values())


def pages(grid: Grid) -> list[Page]:
    """The report itself first (it may hold nothing), then those beside it; evaluations without samples are left out.

    Raises ValueError, in one line, if a file of samples lacks columns.
    """
    done = [key for key in grid.evaluations if grid.paths.samples(*key).exists()]
    each = min(IN_PAGE // 4, IN_ALL // max(1, len(done)))
    order = {name: questions(grid, name) for name in dict.fromkeys(benchmark for _, benchmark in done)}
    chunks = {
        key: chunk(grid.paths.samples(*key), f"completions-{i}", list(order[key[1]]), each)
        for i, key in enumerate(done)
    }
    report = Page("")
    filled = [report]
    for keys in _families(grid, set(chunks)):
        page = filled[-1]
        new = [key for key in keys if key not in page.chunks]
        limit = IN_REPORT if page is report else IN_PAGE
        if page.size + sum(len(chunks[key].text) for key in new) > limit:
            page, new = Page(f"completions-{len(filled):03}.html"), keys
            filled.append(page)
        page.chunks |= {key: chunks[key] for key in new}
    return filled


def _families(grid: Grid, known: set[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """What has to lie in one page: each run with its base model, each model without a run."""
    alone = dict.fromkeys(grid.models)
    for run in grid.runs.values():
        alone.pop(run.model.id, None)
        sets = [benchmark for id, benchmark in known if id == run.id]
        keys = [(id, name) for name in sorted(sets) for id in (run.model.id, run.id) if (id, name) in known]
        if keys:
            yield keys
    for id in alone:
        if keys := sorted(key for key in known if key[0] == id):
            yield keys


def questions(grid: Grid, benchmark: str) -> dict[str, tuple[str, str]]:
    """question_id -> text and gold answer, safe to show; nothing where the file is not there."""
    path = grid.paths.questions(grid.file.benchmarks[benchmark].questions, "test")
    if not path.exists():
        return {}
    return {
        str(row["question_id"]): (cut(row["question"])[0], cut(str(row["answer"]))[0]) for row in read_json_lines(path)
    }


def chunk(path: Path, id: str, order: list[str], most_bytes: int) -> Chunk:
    """The completions of one file of samples.

    Args:
        id: of the element that will hold them.
        order: ids of questions, in which order they are shown; others come after.
        most_bytes: packed; halves the questions until they fit.
    """
    asked = pq.read_table(path, columns=["question_id"])["question_id"]
    known = [str(value) for value in pc.unique(asked).to_pylist()]
    ranks = {name: i for i, name in enumerate(order)}
    known.sort(key=lambda name: ranks.get(name, len(ranks)))
    shown = known[: max(1, ROWS * len(known) // max(1, len(asked)))]
    while True:
        table = samples_file.read(path, COLUMNS, [("question_id", "in", shown)])
        text = packed(_columns(table, shown))
        if len(text) <= most_bytes or len(shown) == 1:
            return Chunk(id, text, len(shown), len(known) - len(shown))
        shown = shown[: len(shown) // 2]


def _columns(table: pd.DataFrame, order: list[str]) -> dict[str, Any]:
    """Question by question, checkpoint by checkpoint, greedy first: like texts lie together and pack well."""
    rank = {name: i for i, name in enumerate(order)}
    table = table.assign(
        question=table["question_id"].astype(str).map(rank),
        sample=np.where(table["mode"] == "greedy", -1, table["sample"]),
    ).sort_values(["question", "step", "sample"], kind="stable")
    texts, text = _distinct(table["completion"])
    answers = [_distinct(table[f"answer_{rule}"]) for rule in RULES]
    bits = sum((table[f"correct_{rule}"].astype(bool).astype(int) * 2**i for i, rule in enumerate(RULES)), 0)
    flags = table["flags"].fillna("").map(lambda value: sum(1 << i for i, name in enumerate(FLAGS) if name in value))
    return {
        "questions": order,
        "question": table["question"].tolist(),
        "step": table["step"].astype(int).tolist(),
        "sample": table["sample"].astype(int).tolist(),
        "format": table["format"].map({name: i for i, name in enumerate(FORMATS)}).tolist(),
        "right": bits.tolist(),
        "flags": flags.astype(int).tolist(),
        "finished": table["finished"].astype(int).tolist(),
        "tokens": table["tokens"].astype(int).tolist(),
        "status": table[f"status_{DEFAULT_RULE}"].map({name: i for i, name in enumerate(STATUSES)}).tolist(),
        "text": text,
        "texts": texts,
        "answer": [which for _, which in answers],
        "answers": [each for each, _ in answers],
    }


def _distinct(column: pd.Series) -> tuple[list[Any], list[int]]:
    """Distinct texts, safe to show, and for each row which; -1: none. One that was cut is [text, characters in all]."""
    codes, values = pd.factorize(column, use_na_sentinel=True)
    safe = [cut(str(value)) for value in values]
    return [text if total <= LONGEST else [text, total] for text, total in safe], codes.tolist()


def index(grid: Grid, filled: list[Page], page: Page) -> dict[str, Any]:
    """What the browser in one page knows: every model and run, and where its completions are.

    Returns: `runs`, each with `at`: question set -> [page, element, questions left out]; no page: this one.
    """
    homes: dict[tuple[str, str], tuple[str, Chunk]] = {}
    for other in (page, *filled):
        for key, part in other.chunks.items():
            homes.setdefault(key, ("" if other is page else _link(page, other), part))
    jobs: list[Model | Run] = [*grid.runs.values(), *grid.models.values()]
    runs = []
    for job in jobs:
        at = {set: [where, part.id, part.left_out] for (id, set), (where, part) in homes.items() if id == job.id}
        if at:
            base = job.model.id if isinstance(job, Run) else None
            start = job.from_step if isinstance(job, Run) else None
            runs.append({"id": job.id, "base": base, "start": start, "at": at})
    sets = dict.fromkeys(name for other in filled for _, name in other.chunks)
    return {
        "runs": runs,
        "questions": {name: packed(questions(grid, name)) for name in sets},
        "formats": FORMATS,
        "rules": RULES,
        "statuses": STATUSES,
        "flags": FLAGS,
    }


def _link(page: Page, other: Page) -> str:
    """From one page to another, the report being the one in the folder above."""
    if page.name:
        return other.name or "../report.html"
    return f"{FOLDER}/{other.name}"
