"""People's own corpora and question sets: every kind of file, every kind of gold, and what is refused in one line."""

import csv
import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from echochamber.corpora import sources
from echochamber.corpora.documents import Document
from echochamber.data import contamination
from echochamber.errors import UserError
from echochamber.settings import HubQuestions, HubSource, LocalQuestions, LocalSource
from echochamber.verify import verify

ROWS = [{"ask": f"What is {i} + {i}, Ann?", "tell": str(2 * i)} for i in range(6)]


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".csv":
        with path.open("w", newline="") as file:
            table = csv.DictWriter(file, rows[0])
            table.writeheader()
            table.writerows(rows)
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(lines(rows).encode()))
    else:
        path.write_text(json.dumps(rows) if path.suffix == ".json" else lines(rows))
    return path


def documents(path, **settings):
    source = LocalSource(kind="local", path=str(path), columns=("ask", "tell"), **settings)
    return [document.text for document in sources.documents(source, "mine", "data")]


def asked(split="test", **settings):
    mine = LocalQuestions(kind="local", **({"question": ("ask",), "answer": "tell"} | settings))
    return sources.questions(mine, "mine", split, "data")


TEXTS = [f"{row['ask']}\n\n{row['tell']}" for row in ROWS]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.parquet", "a.jsonl.gz"])
def test_a_file_of_every_kind_is_read_alike(tmp_path, name):
    path = write(tmp_path / name, ROWS)
    assert documents(path) == TEXTS
    assert [(q.question, q.answer) for q in asked(test=str(path))] == [(r["ask"], r["tell"]) for r in ROWS]
    assert asked(test=str(path))[3].question_id == "mine-test-00003"


def test_a_folder_and_a_glob_are_their_files_in_order(tmp_path, monkeypatch):
    for number in range(3):
        write(tmp_path / f"own/part-{number}.jsonl", ROWS[2 * number : 2 * number + 2])
    (tmp_path / "own/README.md").write_text("mine")
    assert documents(tmp_path / "own") == TEXTS
    assert documents(tmp_path / "own/part-[01].jsonl") == TEXTS[:4]
    monkeypatch.chdir(tmp_path)
    assert documents("own/*.jsonl") == documents("*/part-*.jsonl") == documents("own") == TEXTS
    write(tmp_path / "one.jsonl", ROWS)
    assert documents("one.jsonl") == TEXTS


def test_parts_of_own_documents_are_the_whole(tmp_path):
    write(tmp_path / "a.jsonl", ROWS)
    source = LocalSource(kind="local", path=str(tmp_path), columns=("ask", "tell"), shards=4)
    parts = [list(sources.documents(source, "mine", "data", part, 4)) for part in range(4)]
    assert [text for part in parts for text in part] == [Document(text, "mine") for text in TEXTS]


@pytest.mark.parametrize(
    ("form", "value", "gold"),
    [
        ("number", 7, "7"),
        ("number", "1,000", "1,000"),
        ("number", "3/4", "3/4"),
        ("latex", r"\frac{1}{2}", r"\frac{1}{2}"),
        ("choice", "(b)", "B"),
        ("choice", 2, "C"),
        ("list", ["12", "a dozen"], "12\x1fa dozen"),
        ("list", ["12", "12"], "12"),
        ("list", "one", "one"),
        ("list", '["1", "2"]', "1\x1f2"),
        ("after_hashes", "so #### 5", "5"),
        ("in_the_last_box", r"so \boxed{x^2}", "x^2"),
    ],
)
def test_golds_of_every_kind(tmp_path, form, value, gold):
    path = write(tmp_path / "a.jsonl", [{"ask": "How many?", "tell": value}])
    assert [question.answer for question in asked(test=str(path), answers=form)] == [gold]


def test_any_of_several_accepted_answers_is_right():
    gold = "12\x1f\\text{a dozen}"
    assert [verify(f"\\boxed{{{answer}}}", gold).correct for answer in ("12", r"\text{a dozen}", "11")] == [
        *(True, True),
        False,
    ]
    assert verify("The answer is: 7", "6\x1f7").correct
    assert not verify("The answer is: 8", "6\x1f7").correct


@pytest.mark.parametrize("right", ["B", 1, "Rome"])
def test_options_stand_below_the_question_and_their_letter_is_the_gold(tmp_path, right):
    path = write(tmp_path / "a.jsonl", [{"ask": "Where?", "tell": right, "of": ["Paris", "Rome"]}])
    (question,) = asked(test=str(path), answers="choice", options="of")
    assert (question.question, question.answer) == ("Where?\nA) Paris\nB) Rome", "B")
    assert verify(r"It is \boxed{\text{(B)}}.", question.answer).correct
    assert not verify(r"It is \boxed{A}.", question.answer).correct


def test_options_as_parquet_and_as_a_mapping_hold_them(tmp_path):
    row = {"ask": "Where?", "tell": "A", "of": {"label": ["A", "B"], "text": ["Paris", "Rome"]}}
    path = write(tmp_path / "a.parquet", [row])
    assert asked(test=str(path), answers="choice", options="of")[0].question.endswith("A) Paris\nB) Rome")


@pytest.mark.parametrize(
    ("row", "settings", "said"),
    [
        ({"ask": "q", "say": "1"}, {}, "a.jsonl line 1, byte 0: found no column tell, allowed: one of ask, say"),
        ({"ask": "q", "tell": "x"}, {"answers": "number"}, "tell: found 'x', allowed: an integer, a decimal or a fr"),
        ({"ask": "q", "tell": "x"}, {"answers": "after_hashes"}, "line 1, byte 0: tell: no ####"),
        ({"ask": "q", "tell": "7"}, {"answers": "choice", "options": "of"}, "found no column of"),
        ({"ask": "q", "tell": "C", "of": ["a", "b"]}, {"answers": "choice", "options": "of"}, "a letter from A to B"),
        ({"ask": "q", "tell": "A", "of": ["a"]}, {"answers": "choice", "options": "of"}, "of: found ['a'], allowed: 2"),
        ({"ask": "q", "tell": []}, {"answers": "list"}, "tell: found [], allowed: a list of accepted answers"),
        ({"ask": "q", "tell": ["1", None]}, {"answers": "list"}, "tell: found None, allowed: an answer"),
        ({"ask": "", "tell": "1"}, {}, "ask: empty"),
    ],
)
def test_what_is_wrong_with_a_row_is_one_line(tmp_path, row, settings, said):
    path = write(tmp_path / "a.jsonl", [row])
    with pytest.raises(UserError, match=r"question_sets\.mine, test: .*a\.jsonl line 1") as error:
        asked(test=str(path), **settings)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_files_that_are_none_of_the_kinds_or_of_two(tmp_path):
    with pytest.raises(
        UserError, match=r"corpora\.mine\.path: found no none\.jsonl in .* \(nothing there\), allowed: "
    ):
        documents(tmp_path / "none.jsonl")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(UserError, match=r"\.path: found .*notes\.txt, allowed: files that end in \.parquet"):
        documents(tmp_path / "notes.txt")
    write(tmp_path / "a.jsonl", ROWS)
    write(tmp_path / "b.csv", ROWS)
    with pytest.raises(UserError, match=r"found .*a\.jsonl and .*b\.csv, allowed: files of one kind"):
        documents(tmp_path)


def test_a_bad_row_of_an_own_corpus_is_an_error_or_is_skipped(tmp_path):
    path = write(tmp_path / "a.jsonl", [ROWS[0], {"ask": None, "tell": "1"}])
    with pytest.raises(UserError, match=r"a\.jsonl line 2, byte \d+, ask: found a bad row \(missing field\), "):
        documents(path)
    source = LocalSource(kind="local", path=str(path), columns=("ask", "tell"), on_bad_row="skip")
    assert [type(row).__name__ for row in sources.documents(source, "mine", "data")] == ["Document", "BadRow"]


def test_a_train_question_that_the_test_split_asks_is_refused(tmp_path):
    train = write(tmp_path / "train.jsonl", ROWS[:4])
    test = write(tmp_path / "test.jsonl", [{"ask": "what IS 3 +  3, Ann?", "tell": "6"}])
    with pytest.raises(UserError, match=r"question_sets\.mine, train: .*train\.jsonl line 4, .* mine-test-00000 too"):
        asked("train", train=str(train), test=str(test))
    assert len(asked("train", train=str(train))) == 4
    with pytest.raises(UserError, match=r"question_sets\.mine: found split test, allowed: train"):
        asked("test", train=str(train))


def test_the_guard_sees_own_questions_in_own_documents(tmp_path):
    story = "Tom has three red apples and buys five more of them at the old market today. How many?"
    documents_file = write(tmp_path / "web.jsonl", [{"ask": f"Solved: {story}", "tell": "8"}, *ROWS])
    test = write(tmp_path / "test.csv", [{"ask": story, "tell": 8}])
    ngrams = contamination.Index(("mine", "test", question) for question in asked(test=str(test)))
    assert ngrams.hits(documents(documents_file)).tolist() == [True, *[False] * 6]


def test_any_repository_of_the_hub_by_config_split_and_columns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "data/someone/sums"
    write(root / "easy/train-00000-of-00001.parquet", ROWS[:3])
    write(root / "easy/test-00000-of-00001.parquet", ROWS[3:])
    write(root / "hard/train-00000-of-00001.parquet", [{"ask": "other", "tell": "0"}])
    source = HubSource(kind="hub", repository="someone/sums", config="easy", columns=("ask", "tell"))
    assert [document.text for document in sources.documents(source, "sums", "data")] == TEXTS[:3]
    mine = {"kind": "hub", "repository": "someone/sums", "config": "easy", "train": "train", "test": "test"}
    questions = HubQuestions(**mine, question=("ask",), answer="tell", answers="number")
    found = {split: sources.questions(questions, "sums", split, "data") for split in ("train", "test")}
    assert [question.answer for question in found["train"] + found["test"]] == [row["tell"] for row in ROWS]
    files = HubSource(kind="hub", repository="someone/sums", split="hard/*.parquet", columns=("ask",))
    assert [document.text for document in sources.documents(files, "sums", "data")] == ["other"]


@pytest.mark.parametrize("name", ["data/train-0-of-1.parquet", "train.jsonl", "train/0000.parquet", "train.csv"])
def test_where_a_repository_without_configurations_keeps_a_split(tmp_path, name):
    write(tmp_path / name, ROWS)
    source = HubSource(kind="hub", repository="someone/sums", path=str(tmp_path), columns=("ask", "tell"))
    assert [document.text for document in sources.documents(source, "sums", "data")] == TEXTS
