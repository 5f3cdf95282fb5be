"""Problems of the embedded world with their solutions as text, and a table of completions judged by their steps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain, islice
from random import Random

import pandas as pd

from echochamber.analysis.tables import completions
from echochamber.corpora.problems import Graph, graphs
from echochamber.corpora.render import Look, render
from echochamber.corpora.wording import Problem, word
from echochamber.settings import Problems

GRAPH = {
    "nodes": [
        {"operation": "given", "inputs": [], "number": 5, "value": 5},
        {"operation": "more", "inputs": [0], "number": 3, "value": 8},
        {"operation": "given", "inputs": [], "number": 2, "value": 2},
        {"operation": "total", "inputs": [0, 1, 2], "number": None, "value": 15},
    ]
}


def program(*lines: str) -> str:
    return "\n    ".join(["def simple_math_problem() -> int:", "'''", "Q", "'''", *lines])


def problems(count: int, seed: int) -> Iterator[tuple[Graph, Problem]]:
    """So many worded graphs of each family, by turns."""
    rng = Random(seed)
    families = [graphs(Problems(family=family, steps=(1, 7), numbers=(2, 60)), rng) for family in ("gsm", "math")]
    for graph in islice(chain.from_iterable(zip(*families, strict=True)), 2 * count):
        yield graph, word(graph, rng)


def text_of(style: str, problem: Problem, steps: list, i: int = 0) -> str:
    return render(style, problem, steps, Look(i % 2 == 1, i % 3 == 0, i % 5 == 0))


def judged_table(folder, texts: list[str], correct: list[bool]) -> completions.Judged:
    n = len(texts) // 2
    table = pd.DataFrame({"question_id": ["a"] * n + ["b"] * n, "sample": [*range(n)] * 2, "completion": texts})
    table = table.assign(correct_executed=correct, finished=True, format="text", flags="")
    table = table.assign(answer_executed="15", status_executed="ok")
    greedy = table.assign(step=7, mode="greedy", correct_executed=True)
    pd.concat([table.assign(step=7, mode="sample"), greedy]).to_parquet(folder / "samples.parquet")
    asked = [{"question_id": id, "question": "5, 3 more, 2?", "answer": "15", "graph": GRAPH} for id in "ab"]
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    return completions.read(folder / "samples.parquet", 7, folder / "test.jsonl")
