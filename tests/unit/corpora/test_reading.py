"""Files in the hub's layouts: any number of parts is the whole, broken rows cost themselves only."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from echochamber.corpora.documents import BadRow
from echochamber.corpora.reading import DataFile, find, matching, rows
from echochamber.errors import UserError

ROWS = [{"text": f"row {i} é\U0001f600\n{'x' * (i % 50)}", "score": i} for i in range(300)]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()


def in_two_frames(data):
    return zstandard.compress(data[:1000]) + zstandard.compress(data[1000:])


def write(folder, layout):
    """The rows in one of the layouts, in one or several files."""
    third = len(ROWS) // 3
    if layout == "parquet":
        for i in range(3):
            table = pa.Table.from_pylist(ROWS[i * third : (i + 1) * third])
            pq.write_table(table, folder / f"train-0000{i}-of-00003.parquet", row_group_size=40)
    elif layout == "json":
        (folder / "train.json").write_text(json.dumps(ROWS, indent=1), encoding="utf-8")
    elif layout == "jsonl":
        lines = LINES.splitlines(keepends=True)
        for i in range(2):
            (folder / f"train{i}.jsonl").write_bytes(b"".join(lines[i * 150 : (i + 1) * 150]))
    else:
        pack = {"jsonl.zst": in_two_frames, "jsonl.gz": gzip.compress}[layout]
        lines = LINES.splitlines(keepends=True)
        for i in range(3):
            (folder / f"train{i}.{layout}").write_bytes(pack(b"".join(lines[i * third : (i + 1) * third])))


@pytest.mark.parametrize("parts", [1, 2, 5])
@pytest.mark.parametrize("layout", ["parquet", "json", "jsonl", "jsonl.zst", "jsonl.gz"])
def test_the_parts_joined_in_order_are_all_rows(tmp_path, layout, parts):
    write(tmp_path, layout)
    files = find(str(tmp_path), ("train*",))
    found = [[row["text"] for row in rows(files, ("text",), part, parts)] for part in range(parts)]
    assert [text for part in found for text in part] == [row["text"] for row in ROWS]
    if layout in ("parquet", "jsonl"):  # can be entered anywhere: no part is much larger than another
        assert max(map(len, found)) <= len(ROWS) / parts + 50


@pytest.mark.parametrize("parts", range(1, 12))
def test_lines_belong_to_the_part_in_which_they_begin(tmp_path, parts):
    """Parts that end within a line, with a line, and one byte before: all of them occur."""
    (tmp_path / "a.jsonl").write_bytes(b'{"a": 1}\n{"a": 2}\n{"a": 3}\n\n{"a": 4}')
    files = find(str(tmp_path), ("*.jsonl",))
    assert [row["a"] for part in range(parts) for row in rows(files, ("a",), part, parts)] == [1, 2, 3, 4]


def test_a_broken_line_costs_that_line_only(tmp_path):
    broken = b'{"a": "one"}\n{"a": "caf\xe9"}\n{"a": "cut o\n[1, 2]\n\n{"a": "two"}\n'
    (tmp_path / "a.jsonl").write_bytes(broken)
    found = list(rows(find(str(tmp_path), ("*",)), ("a",)))
    assert [row["a"] for row in found if isinstance(row, dict)] == ["one", "two"]
    bad = [row for row in found if isinstance(row, BadRow)]
    assert [row.reason for row in bad] == ["not UTF-8", "not JSON", "not JSON"]
    assert bad[0].location.endswith("a.jsonl line 2, byte 13")


def test_a_text_of_a_parquet_file_that_is_not_utf8_costs_itself_only(tmp_path):
    texts = pa.array([b"one", b"caf\xe9", b"two", None], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet")
    one, bad, two, none = rows(find(str(tmp_path), ("*",)), ("text",))
    assert (one, two, none) == ({"text": "one"}, {"text": "two"}, {"text": None})
    assert bad == BadRow("not UTF-8", f"{tmp_path}/a.parquet row 2")


def test_a_parquet_file_with_fewer_groups_of_rows_than_parts(tmp_path):
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet", row_group_size=200)
    files = find(str(tmp_path), ("*",))
    assert [len(list(rows(files, ("text",), part, 3))) for part in range(3)] == [200, 100, 0]


def test_a_missing_column_is_a_matter_of_the_rows(tmp_path):
    pq.write_table(pa.table({"question": ["q"], "n": [1]}), tmp_path / "a.parquet")
    files = find(str(tmp_path), ("*",))
    assert list(rows(files, ("question", "code"))) == [{"question": "q"}]
    assert list(rows(files, ("problem",))) == [{"question": "q", "n": 1}]


def test_empty_files_hold_no_rows(tmp_path):
    """Proof-Pile-2 has some: 13 bytes of zstd, and nothing."""
    (tmp_path / "0.jsonl.zst").write_bytes(zstandard.compress(b""))
    (tmp_path / "1.jsonl.zst").write_bytes(b"")
    (tmp_path / "2.jsonl.zst").write_bytes(zstandard.compress(b'{"text": "x"}\n'))
    files = find(str(tmp_path), ("*.zst",))
    assert [list(rows(files, ("text",), part, 4)) for part in range(4)].count([{"text": "x"}]) == 1


def test_a_list_cut_off_is_said(tmp_path):
    (tmp_path / "a.json").write_text('[{"a": 1}, {"a": 2}, {"a"')
    with pytest.raises(
        UserError, match=r"a\.json: found a file that is cut off or damaged after item 2 \(item 3 is not"
    ):
        list(rows(find(str(tmp_path), ("*",)), ("a",)))


def test_the_first_pattern_that_matches_counts():
    paths = ["data/train-1.parquet", "data/train-0.parquet", "data/train_1M-0.parquet", "train.jsonl", "README.md"]
    assert matching(paths, ("data/train-*.parquet", "train.jsonl")) == ["data/train-0.parquet", "data/train-1.parquet"]
    assert matching(paths, ("none", "train.jsonl*")) == ["train.jsonl"]
    assert matching(paths, ("none",)) == []


def test_nothing_there(tmp_path):
    assert find(str(tmp_path / "none"), ("*",)) == []
    assert list(rows([], ("a",))) == []
    assert DataFile("x", 0).size == 0
