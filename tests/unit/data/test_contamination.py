"""Hits against a plain search for runs of words, by hand and on real questions; what is left out and counted."""

import json
import random

import numpy as np
import pandas as pd
import pytest
import verify_data

from echochamber.corpora.documents import BadRow, Document, Question
from echochamber.data import contamination
from echochamber.data.contamination import Index, scan, table, words
from echochamber.data.shards import Corpus, write_manifest, write_shard
from echochamber.data.tokenizer import train_bpe

LONG = "Ann has 12 red pens and buys 3 packs of 4 blue pens. How many pens has she now?"
SHORT = "What is the sum of 5, 6 and 7?"
TINY = "What is 5 + 6?"


def index(*texts, name="set", split="test"):
    return Index((name, split, Question(f"{name}-{i}", text, "1", None)) for i, text in enumerate(texts))


def brute_force(texts, questions):
    """Pairs that share a run of 13 words, or of 8 where the question has fewer than 13."""
    pairs = set()
    for t, text in enumerate(texts):
        inside = words(text)
        for q, question in enumerate(questions):
            asked = words(question)
            n = 13 if len(asked) >= 13 else 8
            if len(asked) >= n:
                runs = {tuple(asked[i : i + n]) for i in range(len(asked) - n + 1)}
                if any(tuple(inside[i : i + n]) in runs for i in range(len(inside) - n + 1)):
                    pairs.add((t, q))
    return pairs


def test_words_by_hand():
    assert words("It's $3.50 -- x_1, É2!") == ["it", "s", "3", "50", "x", "1", "é2"]


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        (LONG, True),
        (f"Before. {LONG.upper().replace(' ', '  ')} After.", True),  # case and spacing play no part
        (LONG.replace("3 packs", "5 packs"), False),  # other numbers: runs of 7 and 10 words are left
        ("Ann has 12 red pens and buys 3 packs of 4 blue. How many pens", False),  # 12 of its words in a row
        ("Ann has 12 red pens and buys 3 packs of 4 blue pens", True),  # 13
        ("So: what is the sum of 5, 6 and 8?", True),  # 8 words of the short question
        ("So: what is the sum of 5, 7 and 8?", False),
        (TINY, False),  # too short to be looked for
        ("", False),
    ],
)
def test_hits_by_hand(text, hit):
    assert index(LONG, SHORT, TINY).hits(["nothing", text]).tolist() == [False, hit]


def test_a_run_of_words_does_not_reach_over_the_end_of_a_document():
    first, second = LONG.split(" packs ")
    assert not index(LONG).hits([first + " packs", second]).any()
    assert index(LONG).hits([first + " packs " + second]).any()


def test_random_texts_against_brute_force():
    rng = random.Random(0)
    vocabulary = ["a", "b"]
    questions = [" ".join(rng.choices(vocabulary, k=rng.randint(1, 16))) for _ in range(40)]
    texts = [" ".join(rng.choices([*vocabulary, "z"], k=rng.randint(0, 150), weights=[9, 9, 1])) for _ in range(200)]
    expected = brute_force(texts, questions)
    assert 50 < len(expected) < 7000
    assert index(*questions).find(texts) == expected


def test_real_openmathinstruct_rows_hold_gsm8k_train_and_not_its_test():
    """Its questions are those of the train sets of GSM8K and MATH, as each row says."""
    rows = verify_data.rows("openmathinstruct1/rows_100.jsonl")
    sets = {split: [row["question"] for row in verify_data.rows(f"gsm8k/{split}.jsonl")] for split in ("train", "test")}
    texts = [f"{row['question']}\n\n{row['generated_solution']}" for row in rows]
    from_gsm8k = np.array([row["dataset"] == "gsm8k" for row in rows])
    hits = {split: index(*questions).hits(texts) for split, questions in sets.items()}
    assert (hits["train"] == from_gsm8k).mean() >= 0.98
    assert not hits["test"].any()


def test_scan_and_table_count_documents_and_questions():
    asked = Index(
        [
            ("long", "test", Question("l0", LONG, "1", None)),
            ("long", "test", Question("l1", LONG.replace("Ann", "Ben"), "1", None)),
            ("mixed", "train", Question("m0", SHORT, "1", None)),
            ("mixed", "train", Question("m1", TINY, "1", None)),
        ]
    )
    documents = [Document(text, "x") for text in (LONG, f"{LONG} {SHORT}", "no", "")] + [BadRow("empty", "x")]
    one, other = scan(iter(documents), asked), scan(iter(documents[:1]), asked)
    assert (one["documents"], other["documents"]) == (3, 1)
    assert json.loads(json.dumps(one)) == one
    found = table({"a": [one, other], "b": [scan(iter([]), asked)]}, asked)
    # LONG and its twin differ in the first of 18 words only, so both are given away by either.
    expected = [
        ("a", "long", "test", 13, 2, 2, 4, 3),
        ("a", "mixed", "train", 0, 1, 0, 4, 0),
        ("a", "mixed", "train", 8, 1, 1, 4, 1),
        ("b", "long", "test", 13, 2, 0, 0, 0),
        ("b", "mixed", "train", 0, 1, 0, 0, 0),
        ("b", "mixed", "train", 8, 1, 0, 0, 0),
    ]
    pd.testing.assert_frame_equal(found, pd.DataFrame(expected, columns=list(contamination.CONTAMINATION)))


def test_hits_are_left_out_of_a_corpus_and_counted(tmp_path):
    tokenizer = train_bpe([LONG, SHORT] * 30, 300)
    documents = iter([Document(text, "x") for text in ("first", LONG, "second", SHORT, "third")])
    manifest = write_shard(documents, tokenizer.backend_tokenizer, 2, tmp_path, leave_out=index(LONG, SHORT).hits)
    assert (manifest["documents"], manifest["contaminated"]) == (3, 2)
    assert write_manifest(tmp_path, 1, 0)["contaminated"] == 2
    corpus = Corpus(tmp_path)
    assert [tokenizer.decode(corpus.document(i)[:-1]) for i in range(3)] == ["first", "second", "third"]


def test_nothing_is_found_by_no_questions():
    assert not index().hits(["text", ""]).any()
    assert not index(LONG).hits([]).any()
