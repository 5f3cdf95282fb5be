"""Every adapter on its real rows, or on files of the hub's layout; what documents look like; what is refused."""

import json

import pytest
import verify_data
from hub_files import REAL, write

from echochamber.corpora import document_sets, locations
from echochamber.corpora.documents import BadRow, Document
from echochamber.data.shards import Corpus, write_corpus
from echochamber.data.tokenizer import train_bpe
from echochamber.datasets import CORPORA, QUESTION_SETS
from echochamber.errors import UserError
from echochamber.jobs import downloads
from echochamber.settings import SPLITS, HubQuestions, HubSource


def documents(folder, dataset, **settings):
    """What the adapter reads from a folder."""
    return list(
        document_sets.documents(HubSource(kind="hub", dataset=dataset, path=str(folder), **settings), "x", "none")
    )


COUNTS = {"tinygsm": 2, "openmathinstruct-1": 100, "openmathinstruct-2": 100, "metamathqa": 3, "gsm8k-train": 7473}


@pytest.mark.parametrize("dataset", REAL)
def test_real_rows_become_question_empty_line_solution(tmp_path, dataset):
    source, place, question, solution = REAL[dataset]
    rows = verify_data.rows(source)
    write(tmp_path, place, rows)
    found = documents(tmp_path, dataset)
    assert len(found) == COUNTS[dataset]
    assert found == [Document(f"{row[question]}\n\n{row[solution]}", "x") for row in rows]


def test_the_first_real_tinygsm_document_as_it_is_trained_on(tmp_path):
    write(tmp_path, "data/train-00000-of-00001.parquet", verify_data.rows("tinygsm/rows_2.jsonl")[:1])
    text = documents(tmp_path, "tinygsm")[0].text
    assert text.startswith("In preparation for her party, Sarah buys 10 trays of food")
    assert 'trays and beverages?\n\ndef simple_math_problem() -> int:\n    """\n' in text
    assert text.endswith("    result = total_cost\n    return result")


def test_background_is_its_text(tmp_path):
    web = {
        "url": "https://a.example",
        "text": "Two and two\n\nare four.",
        "token_count": 8,
        "score": 3.5,
        "int_score": 4,
    }
    write(tmp_path, "finemath-3plus/train-00000-of-00002.parquet", [web])
    write(tmp_path, "finemath-3plus/train-00001-of-00002.parquet", [web | {"text": "Next."}])
    assert documents(tmp_path, "finemath-3plus") == [Document("Two and two\n\nare four.", "x"), Document("Next.", "x")]
    code = {"text": "theorem t : 1 = 1 := rfl", "meta": {"repo": "a", "path": "b.lean", "size": 24}}
    write(tmp_path, "algebraic-stack/train/lean0000.jsonl.zst", [code])
    assert documents(tmp_path, "algebraic-stack") == [Document(code["text"], "x")]


def test_what_stands_beside_the_training_data_is_not_read(tmp_path):
    """Validation splits, wrong solutions, subsets that repeat rows, other configurations, tests of benchmarks."""
    bad = [{"text": "no", "question": "no", "generated_solution": "no", "problem": "no", "code": "no", "answer": "no"}]
    good = [{key: "yes" for key in bad[0]}]
    beside = {
        "openmathinstruct-1": ("incorrect_solutions/train.jsonl", "correct_solutions/validation.jsonl"),
        "openmathinstruct-2": ("data/train_1M-00000-of-00003.parquet", "data/train_5M-00000-of-00009.parquet"),
        "finemath-3plus": ("finemath-4plus/train-00000-of-00064.parquet", "infiwebmath-3plus/train-00000.parquet"),
        "algebraic-stack": ("algebraic-stack/test/lean.jsonl.zst", "arxiv/train/arXiv_000.jsonl.zst"),
        "gsm8k-train": ("main/test-00000-of-00001.parquet", "socratic/train-00000-of-00001.parquet", "test.jsonl"),
    }
    right = {
        "openmathinstruct-1": "correct_solutions/train.jsonl",
        "openmathinstruct-2": "data/train-00000-of-00001.parquet",
        "finemath-3plus": "finemath-3plus/train-00000-of-00001.parquet",
        "algebraic-stack": "algebraic-stack/train/lean.jsonl.zst",
        "gsm8k-train": "main/train-00000-of-00001.parquet",
    }
    for dataset, others in beside.items():
        for place in others:
            write(tmp_path / dataset, place, bad)
        with pytest.raises(UserError, match=r"corpora\.x: found no .* allowed: `snakemake download`"):
            documents(tmp_path / dataset, dataset)
        write(tmp_path / dataset, right[dataset], good)
        assert {document.text for document in documents(tmp_path / dataset, dataset)} <= {"yes", "yes\n\nyes"}


def test_all_of_openmathinstruct_2_has_its_subsets_too(tmp_path):
    """14M rows of the training split, 22M with the subsets that repeat them: what the authors' script reads."""
    for number, name in enumerate(("train", "train_1M", "train_2M", "train_5M")):
        row = {"problem": f"p{number}", "generated_solution": "s"}
        write(tmp_path, f"data/{name}-00000-of-00001.parquet", [row])
    assert [document.text[:2] for document in documents(tmp_path, "openmathinstruct-2")] == ["p0"]
    found = [document.text[:2] for document in documents(tmp_path, "openmathinstruct-2-all")]
    assert found == ["p0", "p1", "p2", "p3"]
    one, every = (CORPORA[name].documents for name in ("openmathinstruct-2", "openmathinstruct-2-all"))
    assert every - one == pytest.approx(8e6, rel=0.01)


def test_no_corpus_reads_a_test_split():
    tests = [
        f"{folder}{name}" for folder in ("", "data/", "main/") for name in ("test.jsonl", "test-00000-of-00001.parquet")
    ]
    for corpus in CORPORA.values():
        assert not downloads.matching(tests, corpus.patterns)
    for known in QUESTION_SETS.values():
        assert not downloads.matching(tests, known.patterns.get("train", ()))


def test_the_catalog_has_what_the_settings_allow():
    schemas = {kind: kind.model_json_schema()["properties"]["dataset"] for kind in (HubSource, HubQuestions)}
    allowed = {kind: schema["anyOf"][0]["enum"] for kind, schema in schemas.items()}
    assert set(CORPORA) == set(allowed[HubSource])
    assert set(QUESTION_SETS) == set(allowed[HubQuestions]) == set(SPLITS)
    assert all(set(known.patterns) == set(SPLITS[name]) for name, known in QUESTION_SETS.items())


def test_bad_rows_are_told_apart(tmp_path):
    good = {"question": "q", "code": "c"}
    rows = [good, {"question": "q"}, {"question": "q", "code": 3}, {"question": " ", "code": "c"}]
    rows += [{"question": "q" * 50, "code": "c" * 60}, {"question": "q", "code": "\ud800"}, good]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = documents(tmp_path, "tinygsm", longest=100, on_bad_row="skip")
    reasons = [row.reason if isinstance(row, BadRow) else "" for row in found]
    assert reasons == ["", "missing field", "not text", "empty", "too long", "not UTF-8", ""]
    assert found[1].location == f"{tmp_path}/train.jsonl line 2, byte 31, code"


def test_one_setting_says_where_files_are(tmp_path, monkeypatch):
    """`path`, else the folder of downloads, else the hub."""
    monkeypatch.chdir(tmp_path)
    here, there = HubSource(kind="hub", dataset="tinygsm"), HubSource(kind="hub", dataset="tinygsm", path="mine")
    assert locations.of_source("tg", here).root("data") == "hf://datasets/TinyGSM/TinyGSM@main"
    write(tmp_path, "data/TinyGSM/TinyGSM/data/train-00000-of-00001.parquet", [{"question": "q", "code": "c"}])
    assert locations.of_source("tg", here).root("data") == "data/TinyGSM/TinyGSM"
    assert list(document_sets.documents(here, "tg", "data")) == [Document("q\n\nc", "tg")]
    assert locations.of_source("tg", there).root("data") == "mine"
    with pytest.raises(UserError, match=r"corpora\.tg: found no data/train-\*\.parquet in mine \(nothing there\)"):
        list(document_sets.documents(there, "tg", "data"))


def test_the_real_gsm8k_train_set_comes_back_from_its_tokens(tmp_path):
    rows = verify_data.rows("gsm8k/train.jsonl")
    write(tmp_path, "train.jsonl", rows)
    texts = [document.text for document in documents(tmp_path, "gsm8k-train")]
    tokenizer = train_bpe(texts[:1000], 2000)
    write_corpus(
        iter([Document(t, "x") for t in texts]), tokenizer.backend_tokenizer, 2, tmp_path / "corpus", held_out=64
    )
    held_out, train = Corpus(tmp_path / "corpus", "held_out"), Corpus(tmp_path / "corpus")
    assert (len(held_out), len(train)) == (64, 7409)
    ids = [corpus.document(i)[:-1] for corpus in (held_out, train) for i in range(len(corpus))]
    assert tokenizer.batch_decode(ids, clean_up_tokenization_spaces=False) == texts
