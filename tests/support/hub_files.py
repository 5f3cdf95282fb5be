"""Files laid out as on the hub, and where the real rows belong there."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard


def as_lines(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def write(folder, path, rows):
    """Rows as a file of the hub: in the format that its ending says."""
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    if path.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(rows), file)
    elif path.endswith(".zst"):
        file.write_bytes(zstandard.compress(as_lines(rows).encode()))
    elif path.endswith(".json"):
        file.write_text(json.dumps(rows), encoding="utf-8")
    else:
        file.write_text(as_lines(rows), encoding="utf-8")


REAL = {
    # dataset: (real rows, where the hub has them, question, solution)
    "tinygsm": ("tinygsm/rows_2.jsonl", "data/train-00000-of-00001.parquet", "question", "code"),
    "openmathinstruct-1": (
        "openmathinstruct1/rows_100.jsonl",
        "correct_solutions/train.jsonl",
        "question",
        "generated_solution",
    ),
    "openmathinstruct-2": (
        "openmathinstruct2/rows_100.jsonl",
        "data/train-00000-of-00001.parquet",
        "problem",
        "generated_solution",
    ),
    "metamathqa": ("metamathqa/rows_3.jsonl", "MetaMathQA-395K.json", "query", "response"),
    "gsm8k-train": ("gsm8k/train.jsonl", "main/train-00000-of-00001.parquet", "question", "answer"),
}
