"""Files that are cut off, damaged or hostile end in one line with file and row; no row is lost unseen."""

import gzip
import json
import random
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from echochamber.corpora import document_sets, reading
from echochamber.corpora.documents import BadRow, Document
from echochamber.data.shards import write_corpus
from echochamber.data.tokenizer import train_bpe
from echochamber.errors import UserError
from echochamber.settings import HubSource

ROWS = [{"question": f"q {i} {random.Random(i).random()}", "code": "c"} for i in range(3000)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
GOOD = b'{"question": "q", "code": "c"}\n'


def rows(folder, name, columns=("question", "code"), **more):
    return list(reading.rows(reading.find(str(folder), (name,)), columns, **more))


def documents(folder, **settings):
    return list(
        document_sets.documents(HubSource(kind="hub", dataset="tinygsm", path=str(folder), **settings), "tg", "none")
    )


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9, -1])
@pytest.mark.parametrize("layout", ["jsonl.gz", "jsonl.zst", "parquet", "json"])
def test_a_file_that_is_cut_off_is_an_error_and_no_shorter_file(tmp_path, layout, kept):
    path = tmp_path / f"a.{layout}"
    if layout == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=300)
    else:
        packed = {
            "jsonl.gz": gzip.compress,
            "jsonl.zst": zstandard.compress,
            "json": lambda _: json.dumps(ROWS).encode(),
        }
        path.write_bytes(packed[layout](LINES))
    assert [row["question"] for row in rows(tmp_path, "a.*")] == [row["question"] for row in ROWS]
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole)) if kept > 0 else kept])
    with pytest.raises(UserError) as error:
        rows(tmp_path, "a.*")
    line = str(error.value)
    assert line.startswith(f"{path}: found a file that is cut off or damaged ")
    assert line.endswith("allowed: a whole file")
    assert len(line.splitlines()) == 1


def test_the_last_row_before_the_damage_is_named(tmp_path):
    """Text that does not compress: a frame of a tenth of the bytes holds about a tenth of the lines."""
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(LINES)[:-8])  # all lines, but not the checksum
    with pytest.raises(UserError, match="after line 3000 "):
        rows(tmp_path, "a.*")


def test_a_damaged_group_of_rows_is_named_by_its_file(tmp_path):
    for name in ("a-0.parquet", "a-1.parquet"):
        pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / name, row_group_size=300)
    data = bytearray((tmp_path / "a-1.parquet").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = b"\xff" * 400
    (tmp_path / "a-1.parquet").write_bytes(data)
    with pytest.raises(UserError, match=r"a-1\.parquet: found a file that is cut off or damaged after row \d+"):
        rows(tmp_path, "a*")


@pytest.mark.parametrize(
    "text", ["[" * 200_000, '{"a":' * 200_000, '{"question": ' + "[" * 200_000 + "]" * 200_000 + "}"]
)
def test_a_deeply_nested_row_costs_itself_only(tmp_path, text):
    (tmp_path / "train.jsonl").write_bytes(GOOD + text.encode() + b"\n" + GOOD)
    first, bad, last = rows(tmp_path, "train.jsonl")
    assert first == last == {"question": "q", "code": "c"}
    assert bad == BadRow("nested too deeply", f"{tmp_path}/train.jsonl line 2, byte 31")


def test_a_deeply_nested_list_is_an_error(tmp_path):
    (tmp_path / "a.json").write_text('[{"question": "q"}, ' + "[" * 200_000)
    with pytest.raises(UserError, match=r"after item 1 \(item 2 is nested too deeply\)"):
        rows(tmp_path, "a.json")


def test_a_byte_order_mark_is_passed_over(tmp_path):
    mark = "\ufeff".encode()
    (tmp_path / "a.jsonl").write_bytes(mark + GOOD + GOOD)
    (tmp_path / "a.csv").write_bytes(mark + b"question,code\nq,c\nq,c\n")
    (tmp_path / "a.json").write_bytes(mark + json.dumps(2 * [{"question": "q", "code": "c"}]).encode())
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(mark + GOOD + GOOD))
    for name in ("a.jsonl", "a.csv", "a.json", "a.jsonl.gz"):
        assert rows(tmp_path, name) == 2 * [{"question": "q", "code": "c"}], name
    (tmp_path / "b.jsonl").write_bytes("\ufeff{}".encode("utf-16-le"))
    assert [row.reason for row in rows(tmp_path, "b.jsonl")] == ["not UTF-8"]


@pytest.mark.parametrize("layout", ["jsonl", "jsonl.gz", "parquet"])
def test_a_row_longer_than_allowed_costs_itself_only(tmp_path, layout):
    many = [{"question": "q", "code": code} for code in ("c", "x" * 5000, "d")]
    path = tmp_path / f"a.{layout}"
    lines = "".join(json.dumps(row) + "\n" for row in many).encode()
    if layout == "parquet":
        pq.write_table(pa.Table.from_pylist(many), path)
    else:
        path.write_bytes(gzip.compress(lines) if layout.endswith("gz") else lines)
    first, bad, last = rows(tmp_path, "a.*", longest=1000)
    assert (first["code"], bad.reason, last["code"]) == ("c", "too long", "d")
    assert all(isinstance(row, dict) for row in rows(tmp_path, "a.*", longest=6000))


def test_parts_of_a_file_with_a_long_line_are_still_the_whole(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(GOOD + b'{"code": "' + b"x" * 5000 + b'"}\n' + GOOD + GOOD)
    for parts in range(1, 40):
        found = [row for part in range(parts) for row in rows(tmp_path, "*", part=part, parts=parts, longest=1000)]
        assert [getattr(row, "reason", None) for row in found] == [None, "too long", None, None]


def test_an_item_of_a_list_and_a_field_of_a_csv_file_are_bounded(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([{"question": "q"}, {"question": "x" * 4_000_000}]))
    with pytest.raises(UserError, match=r"after item 1 \(item 2 is not JSON, or longer than 1000 characters"):
        rows(tmp_path, "a.json", longest=1000)
    (tmp_path / "a.csv").write_text('question,code\nq,c\nq,"' + "x\n" * 3000)  # a quote that is never closed
    with pytest.raises(UserError, match=r"after row 1 \(row 2: field larger than field limit \(1000\)\)"):
        rows(tmp_path, "a.csv", longest=1000)
    with pytest.raises(UserError, match=r"after row 1 \(row 2: unexpected end of data\)"):
        rows(tmp_path, "a.csv")
    (tmp_path / "b.csv").write_text("question,code\nq," + "x" * 200_000 + "\nq,c,d\n")
    wide, bad = rows(tmp_path, "b.csv")
    assert (len(wide["code"]), bad.reason) == (200_000, "more fields than columns")


READ_A_LONG_LINE = """
import sys
from echochamber.corpora import document_sets
from echochamber.settings import HubSource
settings = HubSource(kind="hub", dataset="tinygsm", path=sys.argv[1], on_bad_row="skip")
def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
before = peak()
found = [type(row).__name__ for row in document_sets.documents(settings, "tg", "none")]
print(*found, peak() - before)
"""
# Not ru_maxrss, which on Linux begins at the memory of whoever started the process.


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux: no /proc/self/status here")
def test_a_long_line_takes_no_memory(tmp_path):
    """300 MB in one line (a sparse file): the process grows by less than 40 MB."""
    with (tmp_path / "train.jsonl").open("wb") as file:
        file.write(GOOD + b'{"question": "')
        file.seek(300_000_000, 1)
        file.write(b'"}\n' + GOOD)
    ran = subprocess.run(
        [sys.executable, "-c", READ_A_LONG_LINE, str(tmp_path)], capture_output=True, text=True, check=True
    )
    *found, kilobytes = ran.stdout.split()
    assert found == ["Document", "BadRow", "Document"]
    assert int(kilobytes) < 40_000


def test_a_bad_row_is_an_error_unless_the_source_says_skip(tmp_path):
    (tmp_path / "train.jsonl").write_bytes(GOOD + b'{"question": "q"}\n' + GOOD)
    with pytest.raises(UserError) as error:
        documents(tmp_path)
    assert str(error.value) == (
        f"corpora.tg: {tmp_path}/train.jsonl line 2, byte 31, code: found a bad row (missing field), "
        "allowed: a text in question and code (on_bad_row: skip leaves such rows out and counts them)"
    )
    found = documents(tmp_path, on_bad_row="skip")
    assert found[0] == found[2] == Document("q\n\nc", "tg")
    tokenizer = train_bpe(["q c"], 300).backend_tokenizer
    manifest = write_corpus(iter(found), tokenizer, 2, tmp_path / "corpus", held_out=1)
    assert (manifest["rows"], manifest["bad_rows"]) == (3, {"missing field": 1})


def test_skip_does_not_skip_half_a_file(tmp_path):
    (tmp_path / "train.jsonl.zst").write_bytes(zstandard.compress(LINES)[:-100])
    with pytest.raises(UserError, match=r"train\.jsonl\.zst: found a file that is cut off"):
        documents(tmp_path, on_bad_row="skip", bad_rows=1.0)
