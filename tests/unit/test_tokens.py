"""Any text survives a round trip, digits are tokens, documents come back as they were, bad rows are counted."""

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from echochamber.corpora.documents import Document
from echochamber.shards import Corpus, write_corpus
from echochamber.tokens import encode, train_bpe

TEXTS = ["def simple_math_problem() -> int:\n    result = 12 + 345\n", r"So $3 \times 4 = 12$ \boxed{12}"] * 50
TOKENIZER = train_bpe(TEXTS, 330)


def decode(ids):
    return TOKENIZER.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)


@given(st.text())
def test_any_text_survives(text):
    assert decode(encode(TOKENIZER, [text])[0]) == text


def test_special_ids_are_the_papers():
    assert (TOKENIZER.unk_token_id, TOKENIZER.pad_token_id, TOKENIZER.eos_token_id) == (0, 1, 2)
    assert len(TOKENIZER) <= 330


def test_each_digit_is_a_token():
    tokens = TOKENIZER.convert_ids_to_tokens(encode(TOKENIZER, ["12 + 345"])[0])
    assert [token for token in tokens if any(c.isdigit() for c in token)] == ["1", "2", "3", "4", "5"]


def test_a_written_end_token_is_text():
    ids = encode(TOKENIZER, ["a</s>b"])[0]
    assert TOKENIZER.eos_token_id not in ids
    assert decode(ids) == "a</s>b"


def test_autotokenizer_loads_it(tmp_path):
    TOKENIZER.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert encode(again, TEXTS[:2]) == encode(TOKENIZER, TEXTS[:2])
    assert again.eos_token_id == 2
    assert again.pad_token_id == 1


@pytest.mark.parametrize(("limit", "documents"), [(0, 0), (2, 0), (3, 1), (5, 1), (6, 2), (3000, 1000), (4499, 1499)])
def test_a_limit_on_tokens_takes_the_first_documents_that_fit(tmp_path, limit, documents):
    """Each has three tokens, the end included; a thousand are encoded at once."""
    texts = (Document(f"{i % 10}{i % 7}", "x") for i in range(2000))
    manifest = write_corpus(texts, TOKENIZER.backend_tokenizer, 2, tmp_path, held_out=1, max_tokens=limit)
    assert manifest["train"]["documents"] == documents
    assert manifest["train"]["tokens"] == len(Corpus(tmp_path).tokens) == 3 * documents
    assert manifest["held_out"]["documents"] == 1
    assert all(decode(Corpus(tmp_path).document(i)[:-1]) == f"{(i + 1) % 10}{(i + 1) % 7}" for i in range(documents))


def test_documents_come_back(tmp_path):
    texts = [f"{text}{i}é\U0001f600" for i, text in enumerate(TEXTS)]
    manifest = write_corpus(
        (Document(text, "x") for text in texts), TOKENIZER.backend_tokenizer, 2, tmp_path, held_out=3
    )
    held_out, train = Corpus(tmp_path, "held_out"), Corpus(tmp_path)
    assert (len(held_out), len(train)) == (3, 97)
    back = [decode(corpus.document(i)[:-1]) for corpus in (held_out, train) for i in range(len(corpus))]
    assert back == texts
    assert all(train.document(i)[-1] == 2 for i in range(len(train)))
    assert train.tokens.dtype == np.uint16
    assert manifest["train"]["tokens"] == len(train.tokens) == train.lengths().sum()
    assert manifest["train"]["sha256"] == hashlib.sha256((tmp_path / "train.bin").read_bytes()).hexdigest()
    assert json.loads((tmp_path / "manifest.json").read_text()) == manifest


def test_bad_rows_are_counted_and_skipped(tmp_path):
    documents = [Document(text, "x") for text in ("good", "", "  \n", None, 3, "fine")]
    manifest = write_corpus(iter(documents), TOKENIZER.backend_tokenizer, 2, tmp_path, held_out=0)
    assert manifest["bad_rows"] == {"empty": 2, "not text": 2}
    assert manifest["train"]["documents"] == 2


@pytest.mark.parametrize("part", ["train", "held_out"])
def test_an_empty_part_can_be_read(tmp_path, part):
    write_corpus(iter([]), TOKENIZER.backend_tokenizer, 2, tmp_path, held_out=0)
    assert len(Corpus(tmp_path, part)) == 0
