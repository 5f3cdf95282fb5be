"""Order and packing: every document exactly as often as its passes say, nothing cut, nothing lost."""

from collections import Counter
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from echochamber import mixture
from echochamber.corpora.documents import Document
from echochamber.job import UserError
from echochamber.mixture import IGNORED, Batches, best_fit
from echochamber.permutation import Permutation
from echochamber.shards import write_corpus
from echochamber.tokens import train_bpe

PAD, END = 1, 2


@pytest.mark.parametrize("size", [1, 2, 3, 10, 255, 256, 257, 5000])
def test_permutation_is_a_bijection(size):
    assert sorted(Permutation(size, seed=5)(np.arange(size))) == list(range(size))


def test_permutation_is_the_same_for_any_number_of_callers():
    whole = Permutation(1000, seed=1)(np.arange(1000))
    parts = [Permutation(1000, seed=1)(np.arange(i, 1000, 3)) for i in range(3)]
    assert all((part == whole[i::3]).all() for i, part in enumerate(parts))
    assert Permutation(1000, seed=1)(np.array([], dtype=int)).shape == (0,)


def test_permutation_at_the_papers_size_needs_no_memory():
    places = Permutation(10**15, seed=2)(np.array([0, 1, 10**15 - 1]))
    assert len(set(places.tolist())) == 3
    with pytest.raises(IndexError, match="allowed: below 10"):
        Permutation(10, seed=0)(np.array([10]))


def test_permutations_of_few_things_are_all_reached_about_equally_often():
    found = Counter(tuple(Permutation(4, seed)(np.arange(4)).tolist()) for seed in range(4800))
    assert set(found) == set(permutations(range(4)))
    # 24 orders, 200 each expected; the standard deviation of a count is 13.8.
    assert max(abs(count - 200) for count in found.values()) < 5 * 13.8


def test_neighbours_do_not_stay_neighbours():
    order = Permutation(10_000, seed=3)(np.arange(10_000))
    assert abs(np.corrcoef(np.arange(10_000), order)[0, 1]) < 0.05
    assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.05


@pytest.fixture
def two_sources(tmp_path):
    """Source a: 40 documents, b: 25; each document's tokens name it (digits are tokens of their own)."""
    texts = {"a": [f"{i} " * (1 + i % 4) for i in range(40)], "b": [f"x{i}" for i in range(25)]}
    tokenizer = train_bpe(texts["a"] + texts["b"], 300)
    for name, documents in texts.items():
        write_corpus(
            (Document(text, name) for text in documents), tokenizer.backend_tokenizer, END, tmp_path / name, held_out=0
        )
    passes = {"a": 1, "b": 3}
    return mixture.manifest(passes, {name: str(tmp_path / name) for name in texts}, ["b"]), tokenizer, texts


def batches(manifest, packing, length=24, rows=4, seed=0):
    return Batches(manifest, length=length, rows=rows, packing=packing, seed=seed, pad=PAD)


def documents_of(chunk: np.ndarray) -> list[tuple]:
    """Documents of one row, padding dropped."""
    found, current = [], []
    for token in chunk[chunk != PAD].tolist():
        current.append(token)
        if token == END:
            found.append(tuple(current))
            current = []
    assert not current
    return found


def test_manifest_counts_tokens_not_files(two_sources):
    manifest, tokenizer, texts = two_sources
    tokens = {n: sum(len(tokenizer(t, add_special_tokens=False).input_ids) + 1 for t in texts[n]) for n in texts}
    total = tokens["a"] + 3 * tokens["b"]
    assert manifest["tokens"] == total
    assert manifest["sources"]["b"]["tokens"] == 3 * tokens["b"]
    assert manifest["sources"]["b"]["documents"] == 75
    assert manifest["background_share"] == pytest.approx(3 * tokens["b"] / total)


def test_document_packing_visits_every_document_exactly_as_often_as_its_passes(two_sources):
    manifest, tokenizer, texts = two_sources
    packed = batches(manifest, "document")
    seen = Counter()
    for number in range(len(packed)):
        ids, labels, positions = packed.batch(number)
        assert ids.shape == labels.shape == positions.shape == (4, 24)
        assert ((labels == IGNORED) == (positions == 0)).all()
        assert (positions[ids == PAD] == 0).all()
        begins = np.argwhere(positions == 1) - [0, 1]  # each document has at least two tokens
        assert all(column == 0 or ids[row, column - 1] == END for row, column in begins)
        assert (ids[labels != IGNORED] == labels[labels != IGNORED]).all()
        seen.update(document for row in ids for document in documents_of(row))
    expected = Counter()
    for name, times in (("a", 1), ("b", 3)):
        for text in texts[name]:
            expected[(*tokenizer(text, add_special_tokens=False).input_ids, END)] += times
    assert seen == expected


def test_concatenated_rows_are_the_stream_of_each_source(two_sources):
    manifest, _, _ = two_sources
    packed = batches(manifest, "concatenate", length=8, rows=4)
    rows = Counter(tuple(row) for n in range(len(packed)) for row in packed.batch(n)[0])
    expected = Counter()
    for corpus, times in zip(packed.corpora, (1, 3), strict=True):
        stream = corpus.stream(0, corpus.tokens)
        for begin in range(0, len(stream) - 7, 8):
            expected[tuple(stream[begin : begin + 8])] += times
    # The last, incomplete batch is left out: fewer than 4 rows.
    assert not rows - expected
    assert 0 <= (expected - rows).total() < 4


def test_a_batch_is_the_same_whenever_it_is_asked_for(two_sources):
    manifest, _, _ = two_sources
    first, again = batches(manifest, "document"), batches(manifest, "document")
    last = again.batch(len(again) - 1)
    assert (first.batch(len(first) - 1)[0] == last[0]).all()
    assert (first.batch(0)[0] != batches(manifest, "document", seed=1).batch(0)[0]).any()


def test_a_document_longer_than_a_row_is_refused_not_cut(two_sources):
    manifest, _, _ = two_sources
    with pytest.raises(
        UserError, match=r"pretraining\.sequence_length: found 6, .* at least \d+, the longest document"
    ):
        batches(manifest, "document", length=6)
    with pytest.raises(UserError, match="found no row of 9999 tokens"):
        batches(manifest, "concatenate", length=9999)


def test_best_fit_by_hand():
    assert best_fit(np.array([5, 3, 4, 3]), 3) == 1
    assert best_fit(np.array([5, 2, 4]), 3) == 2
    assert best_fit(np.array([1, 2]), 3) is None


def test_shares_of_a_batch_follow_the_mixture(two_sources):
    """The global order mixes sources: the first half of it holds about half of each."""
    manifest, _, _ = two_sources
    counts = []
    for seed in range(20):
        packed = batches(manifest, "document", seed=seed)
        counts.append(sum(source == 1 for source, _ in packed._units(np.arange(50))))
    # 75 of 115 places are b's: 32.6 of 50 expected, standard deviation of the mean of 20 about 0.57.
    assert abs(np.mean(counts) - 50 * 75 / 115) < 5 * 0.57


def test_paths_in_a_manifest_are_those_of_the_spec(two_sources, tmp_path):
    manifest, _, _ = two_sources
    assert Path(manifest["sources"]["a"]["corpus"]) == tmp_path / "a"
