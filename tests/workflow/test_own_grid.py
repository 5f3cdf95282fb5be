"""People's own data and models through Snakemake: the same commands, and what a changed file runs again."""

import csv
import json
from pathlib import Path

import checkpoints
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from workflow_grid import Grid

STORY = "Tom has three red apples and buys five more of them at the old market today. How many?"


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    grid = Grid(tmp_path_factory.mktemp("own"), "own")
    grid.file.write_text(Path(__file__).with_name("own.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    (grid.folder / "lessons").mkdir()
    for part in range(2):
        rows = [{"ask": f"What is {i} plus {part}, Ann?", "tell": f"The answer is: {i + part}"} for i in range(30)]
        rows += [{"ask": STORY, "tell": "8"}] if part else []
        (grid.folder / f"lessons/{part}.jsonl").write_text(lines(rows))
    (grid.folder / "sums").mkdir()
    with (grid.folder / "sums/train.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("ask", "tell"), *((f"What is {i} + {i}?", 2 * i) for i in range(8))])
    (grid.folder / "sums/test.jsonl").write_text(
        lines([{"ask": STORY, "tell": 8}, {"ask": "What is 9 + 9?", "tell": "18"}])
    )
    rows = [{"question": f"Where is {place}?", "answer": 1, "choices": ["north", place]} for place in ("Rome", "Oslo")]
    pq.write_table(pa.Table.from_pylist(rows), grid.folder / "places.parquet")
    checkpoints.save(grid.folder / "tiny")
    return grid


def test_the_same_commands_run_on_own_data(done, grid):
    assert len(pd.read_csv(grid.results / "runs/imported/tiny/grpo/sums/seed0/metrics.csv")) == 2
    samples = pd.read_parquet(grid.results / "evals/imported/tiny/places/samples.parquet")
    assert samples["question_id"].unique().tolist() == ["places-test-00000", "places-test-00001"]
    questions = [json.loads(line) for line in (grid.results / "questions/places/test.jsonl").open(encoding="utf-8")]
    assert (questions[0]["question"], questions[0]["answer"]) == ("Where is Rome?\nA) north\nB) Rome", "B")
    assert "Does the same command run on my questions?" in (grid.results / "report.html").read_text(encoding="utf-8")
    assert len(pd.read_parquet(grid.results / "evals/lessons/femto/seed0/plain/samples.parquet")) == 4


def test_show_prompt_prints_what_each_model_is_given(done, grid):
    shown = grid.snakemake("--", "show-prompt")
    assert shown.returncode == 0, shown.stdout
    blocks = [block for block in shown.stdout.split("\n\n") if "; a completion ends with" in block]
    heads = [
        next(line for line in block.splitlines() if line.startswith(("prompts.", "benchmarks."))) for block in blocks
    ]
    assert heads == [
        "benchmarks.plain, models that are trained here",
        *(f"{key}, models.tiny" for key in ("prompts.sums", "benchmarks.sums", "benchmarks.places")),
    ]
    assert "  '<|system|>'  special" in blocks[1]
    assert blocks[1].count("'<|user|>'  special") == 2  # one of an example
    assert blocks[1].rstrip().endswith("of sums-train-00000; a completion ends with '</s>' '<|end|>'")


def test_a_document_that_gives_a_test_question_away_is_left_out(done, grid):
    manifest = json.loads((grid.results / "corpora/lessons/manifest.json").read_text(encoding="utf-8"))
    assert (manifest["rows"], manifest["contaminated"]) == (61, 1)
    assert grid.snakemake("--", "contamination").returncode == 0
    table = pd.read_csv(grid.results / "contamination.csv").set_index(["source", "question_set", "split", "ngram"])
    assert table.loc[("lessons", "sums", "test", 13), "documents_found"] == 1


def test_a_plan_counts_own_questions(done, grid):
    planned = grid.snakemake("--", "plan")
    assert planned.returncode == 0, planned.stdout
    assert "guessed: question_sets" not in planned.stdout


def test_a_changed_file_runs_what_reads_it_and_nothing_else(done, grid):
    """Documents that give test questions away are left out, so the model that is trained on them hangs on it too."""
    assert grid.to_do() == {}
    places = grid.folder / "places.parquet"
    before = places.read_bytes()
    rows = [{"question": "Where is Lima?", "answer": 0, "choices": ["Lima", "south"]}]
    pq.write_table(pa.Table.from_pylist(rows), places)
    jobs = grid.to_do()
    places.write_bytes(before)
    assert jobs["questions"] == 1
    assert jobs["evaluate"] == 3  # of the imported model and its run on places; of the trained one
    assert jobs["pretrain"] == 1
    assert not {"tokenizer", "posttrain", "probe"} & set(jobs)


def test_what_is_missing_is_said_before_any_job(grid, tmp_path):
    away = Grid(tmp_path, "own")
    away.file.write_text(grid.file.read_text(encoding="utf-8"), encoding="utf-8")
    checkpoints.save(tmp_path / "tiny")
    refused = away.snakemake()
    assert refused.returncode == 1
    said = [line for line in refused.stdout.splitlines() if "allowed:" in line]
    assert [line.split(":")[0] for line in said] == [
        *("corpora.lessons.path", "question_sets.places.test"),
        *("question_sets.sums.test", "question_sets.sums.train"),
    ]
    assert "corpora.lessons.path: found no *.jsonl in lessons (nothing there), allowed: a file" in said[0]
