"""A data set of the hub that no catalogue knows, by its configuration, split and columns: downloaded, then read."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import stub_hub
from hub_download import ROOT, run

from echochamber.grid import parsing

ROWS = [{"ask": f"What is {number} + 1?", "tell": str(number + 1), "by": "hand"} for number in range(6)]


def grid():
    """Trained on one half, tested on the other; nothing of the other configuration is wanted."""
    config = parsing.read(ROOT / "config/demo.yaml")
    mine = {"kind": "hub", "repository": "someone/sums", "config": "easy"}
    config["corpora"] = {"sums": mine | {"split": "train", "columns": ["ask", "tell"]}}
    config["background"], config["mixtures"] = [], {"only": {"passes": {"sums": 1}}}
    asked = {"train": "train", "test": "test", "question": ["ask"], "answer": "tell", "answers": "number"}
    config["question_sets"] = {"sums": mine | asked}
    config["prompts"] = config["primary"] = {}
    config["benchmarks"] = {"sums": {"questions": "sums", "samples": 1, "max_new_tokens": 16}}
    scale = next(iter(config["scales"]))
    config["studies"] = {"s": {"title": "?", "mixtures": ["only"], "scales": [scale], "benchmarks": ["sums"]}}
    return parsing.parse(config, "own.yaml")


def test_it_is_downloaded_and_read(tmp_path):
    hub = tmp_path / "hub/someone/sums"
    for name, rows in (("easy/train", ROWS[:4]), ("easy/test", ROWS[4:]), ("hard/train", ROWS)):
        file = hub / f"{name}-00000-of-00001.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), file)
    (hub / "README.md").write_text("sums")
    with stub_hub.serve(tmp_path / "hub") as (address, handler):
        done = run(tmp_path, address, "download", grid().grid_spec("download").canonical(), "data")
        assert done.returncode == 0, done.stderr
        files = [path.partition("/resolve/")[2].partition("/")[2] for _, path, _ in handler.requests]
        assert set(files) - {""} == {f"easy/{split}-00000-of-00001.parquet" for split in ("train", "test")}
        handler.requests.clear()
        for split, rows in (("train", ROWS[:4]), ("test", ROWS[4:])):
            spec = grid().questions_spec("sums", split).canonical()
            made = run(tmp_path, address, "make_questions", spec, "questions")
            assert made.returncode == 0, made.stderr
            lines = [json.loads(line) for line in (tmp_path / f"questions/{split}.jsonl").read_text().splitlines()]
            assert [(line["question"], line["answer"]) for line in lines] == [(row["ask"], row["tell"]) for row in rows]
    assert not [path for _, path, _ in handler.requests if "/resolve/" in path]
