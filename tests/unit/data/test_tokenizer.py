"""Any text survives a round trip, digits are tokens, documents come back as they were, bad rows are counted."""

import hashlib
import itertools
import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from echochamber.corpora.documents import BadRow, Document
from echochamber.data.shards import Corpus, write_corpus, write_manifest, write_shard
from echochamber.data.tokenizer import ready, train_bpe
from echochamber.errors import UserError
from echochamber.models.encoding import encode
from echochamber.settings import HubTokenizer

TEXTS = ["def simple_math_problem() -> int:\n    result = 12 + 345\n", r"So $3 \times 4 = 12$ \boxed{12}"] * 50
TOKENIZER = train_bpe(TEXTS, 330)


def decode(ids):
    return TOKENIZER.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)


@given(st.text())
def test_any_text_survives(text):
    assert decode(encode(TOKENIZER.backend_tokenizer, [text])[0]) == text


def test_special_ids_are_the_papers():
    assert (TOKENIZER.unk_token_id, TOKENIZER.pad_token_id, TOKENIZER.eos_token_id) == (0, 1, 2)
    assert len(TOKENIZER) <= 330


def test_each_digit_is_a_token():
    tokens = TOKENIZER.convert_ids_to_tokens(encode(TOKENIZER.backend_tokenizer, ["12 + 345"])[0])
    assert [token for token in tokens if any(c.isdigit() for c in token)] == ["1", "2", "3", "4", "5"]


def test_a_written_end_token_is_text():
    ids = encode(TOKENIZER.backend_tokenizer, ["a</s>b"])[0]
    assert TOKENIZER.eos_token_id not in ids
    assert decode(ids) == "a</s>b"


def test_autotokenizer_loads_it(tmp_path):
    TOKENIZER.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert encode(again.backend_tokenizer, TEXTS[:2]) == encode(TOKENIZER.backend_tokenizer, TEXTS[:2])
    assert again.eos_token_id == 2
    assert again.pad_token_id == 1


@pytest.mark.parametrize(("limit", "documents"), [(0, 0), (2, 0), (3, 1), (5, 1), (6, 2), (3000, 1000), (4499, 1499)])
def test_a_limit_on_tokens_takes_the_first_documents_that_fit(tmp_path, limit, documents):
    """Each has three tokens, the end included; a thousand are encoded at once."""
    texts = (Document(f"{i % 10}{i % 7}", "x") for i in range(2000))
    manifest = write_corpus(texts, TOKENIZER.backend_tokenizer, 2, tmp_path, held_out=1, max_tokens=limit)
    assert manifest["train"]["documents"] == documents
    assert manifest["train"]["tokens"] == Corpus(tmp_path).tokens == 3 * documents
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
    stored = (tmp_path / "shards/00000-of-00001.bin").read_bytes()
    assert train.document(0).dtype == np.uint16
    assert manifest["train"]["tokens"] == train.tokens == train.lengths(np.arange(len(train))).sum()
    assert held_out.tokens + train.tokens == len(stored) // 2
    assert manifest["shards"][0]["sha256"] == hashlib.sha256(stored).hexdigest()
    assert json.loads((tmp_path / "manifest.json").read_text()) == manifest


def test_bad_rows_are_counted_and_skipped(tmp_path):
    documents = [Document(text, "x") for text in ("good", "", "  \n", None, 3, "half a \ud800", "fine")]
    documents.append(BadRow("not JSON", "line 7"))
    manifest = write_corpus(iter(documents), TOKENIZER.backend_tokenizer, 2, tmp_path, held_out=0)
    assert manifest["bad_rows"] == {"empty": 2, "missing field": 1, "not JSON": 1, "not UTF-8": 1, "not text": 1}
    assert manifest["train"]["documents"] == 2


@pytest.mark.parametrize("part", ["train", "held_out"])
def test_an_empty_part_can_be_read(tmp_path, part):
    write_corpus(iter([]), TOKENIZER.backend_tokenizer, 2, tmp_path, held_out=0)
    assert len(Corpus(tmp_path, part)) == 0


def test_too_many_bad_rows_fail_the_corpus_and_are_named(tmp_path):
    rows = [*[Document(f"text {i}", "x") for i in range(97)], *[BadRow("empty", f"line {i}") for i in (5, 6, 7)]]
    write_shard(iter(rows), TOKENIZER.backend_tokenizer, 2, tmp_path)
    assert write_manifest(tmp_path, 1, 0, bad_rows=0.03)["rows"] == 100
    with pytest.raises(UserError, match=r"found 3 bad rows in 100 \(empty 3; first: empty: line 5.*a share of 0.02"):
        write_manifest(tmp_path, 1, 0, bad_rows=0.02)


def test_a_source_of_other_columns_stops_at_once(tmp_path):
    endless = (BadRow("missing field", f"row {i}, text") for i in itertools.count())
    with pytest.raises(UserError, match=r"found 1000 bad rows at the start \(missing field: row 0, text\)"):
        write_shard(endless, TOKENIZER.backend_tokenizer, 2, tmp_path)


@pytest.mark.parametrize("max_tokens", [None, 2500])
@pytest.mark.parametrize("shards", [2, 3, 7])
def test_any_number_of_shards_is_the_same_corpus(tmp_path, shards, max_tokens):
    """Documents, the stream over the joints of shards, where documents start in it, and what is held out."""
    texts = [f"{'word ' * (i % 5)}{i}" for i in range(600)]
    one = write_corpus(
        (Document(t, "x") for t in texts), TOKENIZER.backend_tokenizer, 2, tmp_path / "1", 250, max_tokens
    )
    for shard in range(shards):
        begin, end = (i * len(texts) // shards for i in (shard, shard + 1))
        part = (Document(text, "x") for text in texts[begin:end])
        write_shard(
            part, TOKENIZER.backend_tokenizer, 2, tmp_path / "n", shard, shards, held_out=250, max_tokens=max_tokens
        )
    many = write_manifest(tmp_path / "n", shards, 250, max_tokens)
    assert [many[part] for part in ("held_out", "train")] == [one[part] for part in ("held_out", "train")]
    assert one["train"]["documents"] == 350 if max_tokens is None else 100 < one["train"]["documents"] < 350
    for part in ("held_out", "train"):
        a, b = Corpus(tmp_path / "1", part), Corpus(tmp_path / "n", part)
        assert [a.document(i).tolist() for i in range(len(a))] == [b.document(i).tolist() for i in range(len(b))]
        assert decode(a.document(0)[:-1]) == texts[0 if part == "held_out" else 250]
        whole = a.stream(0, a.tokens)
        assert whole.tolist() == [token for i in range(len(a)) for token in a.document(i).tolist()]
        starts = np.flatnonzero(np.concatenate([[2], whole[:-1]]) == 2)
        for begin, end in ((0, a.tokens), (7, 1003), (a.tokens - 1, a.tokens)):
            assert b.stream(begin, end).tolist() == whole[begin:end].tolist()
            expected = [start - begin for start in starts if begin <= start < end]
            assert a.starts(begin, end).tolist() == b.starts(begin, end).tolist() == expected
        assert a.longest() == b.longest() == max(map(len, map(a.document, range(len(a)))))


def test_memory_does_not_grow_with_the_corpus(tmp_path):
    """But for the 8 bytes of an offset, twice while they are joined."""
    peaks = []
    for count in (4000, 40_000):
        documents = (Document(f"{i % 97} and {i % 89}", "x") for i in range(count))
        tracemalloc.start()
        write_corpus(documents, TOKENIZER.backend_tokenizer, 2, tmp_path / str(count), held_out=10)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 36_000 * 8 * 3


LLAMA = {"vocabulary": len(TOKENIZER), "end": "</s>"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"vocabulary": 32000}, f"tokenizer.vocabulary: found {len(TOKENIZER)} in .*, allowed: 32000"),
        ({"end": "<eos>"}, "tokenizer.end: found '</s>' in .*, allowed: '<eos>'"),
        ({"path": "no/where"}, "tokenizer.path: found no folder no/where or data/no/where, nor a repository"),
    ],
)
def test_another_tokenizer_than_the_settings_say_is_refused(tmp_path, settings, said):
    TOKENIZER.save_pretrained(tmp_path)
    with pytest.raises(UserError, match=said):
        ready(HubTokenizer(**{"kind": "hub", "path": str(tmp_path)} | LLAMA | settings), "data")


def test_a_tokenizer_without_padding_gets_that_of_the_paper(tmp_path):
    bare = PreTrainedTokenizerFast(tokenizer_object=TOKENIZER.backend_tokenizer, eos_token="</s>")
    bare.save_pretrained(tmp_path / "data/some/mirror")
    found, left_out = ready(HubTokenizer(kind="hub", path="some/mirror", **LLAMA), str(tmp_path / "data"))
    assert (found.eos_token_id, found.pad_token_id, left_out) == (2, 1, [])
    assert encode(found.backend_tokenizer, TEXTS[:2]) == encode(TOKENIZER.backend_tokenizer, TEXTS[:2])


@pytest.mark.parametrize("special", [True, False])
def test_tokens_added_beyond_the_vocabulary_are_left_out_and_named(tmp_path, special, caplog):
    """As in well-known mirrors of Llama-2's, which have a `<pad>` with id 32,000."""
    mirror = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(TOKENIZER.backend_tokenizer.to_str()), eos_token="</s>", bos_token="<pad>"
    )
    mirror.add_tokens(AddedToken("<added>", special=special), special_tokens=special)
    mirror.pad_token = "<added>"
    mirror.save_pretrained(tmp_path / "mirror")
    assert len(AutoTokenizer.from_pretrained(tmp_path / "mirror")) == len(TOKENIZER) + 1
    with caplog.at_level("INFO"):
        found, left_out = ready(HubTokenizer(kind="hub", path=str(tmp_path / "mirror"), **LLAMA), "data")
    assert left_out == ["<added>"]
    assert "left out" in caplog.text
    assert "<added>" in caplog.text
    found.save_pretrained(tmp_path / "kept")
    again = AutoTokenizer.from_pretrained(tmp_path / "kept")
    for kept in (found, again):
        assert len(kept) == len(TOKENIZER)
        assert (kept.eos_token_id, kept.pad_token_id, kept.bos_token_id) == (2, 1, 1)
        assert encode(kept.backend_tokenizer, TEXTS[:2]) == encode(TOKENIZER.backend_tokenizer, TEXTS[:2])
        text = "a <added> b"
        assert kept.decode(encode(kept.backend_tokenizer, [text])[0], clean_up_tokenization_spaces=False) == text


def test_the_error_of_another_vocabulary_names_tokenizers_that_fit(tmp_path):
    TOKENIZER.save_pretrained(tmp_path)
    for path in (str(tmp_path), "no/where"):
        with pytest.raises(UserError, match=r"hf-internal-testing/llama-tokenizer.*NousResearch/Llama-2-7b-hf"):
            ready(HubTokenizer(kind="hub", path=path), "data")
