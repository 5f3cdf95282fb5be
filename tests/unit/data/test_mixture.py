"""Order and packing: every document exactly as often as its passes say, nothing cut, nothing lost."""

import json
import tracemalloc
from collections import Counter
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from echochamber.corpora import sizes
from echochamber.corpora.documents import Document
from echochamber.data import mixture
from echochamber.data.mixture import IGNORED, Batches, best_fit
from echochamber.data.permutation import Permutation
from echochamber.data.shards import write_corpus, write_manifest, write_shard
from echochamber.data.tokenizer import train_bpe
from echochamber.errors import UserError
from echochamber.settings import HubSource

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


def batches(manifest, packing, length=24, rows=4, seed=0, mask=False):
    return Batches(manifest, length=length, rows=rows, packing=packing, seed=seed, pad=PAD, document_mask=mask)


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


def test_document_masks_of_concatenated_rows_by_hand(two_sources):
    """A document begins with a row and after each end token; its first token has nothing to be predicted from."""
    manifest, _, _ = two_sources
    plain, masked = batches(manifest, "concatenate", length=8), batches(manifest, "concatenate", length=8, mask=True)
    for number in range(len(plain)):
        ids, labels, positions = masked.batch(number)
        assert (ids == plain.batch(number).ids).all()
        assert plain.batch(number).positions is None
        for row in range(4):
            place = -1
            for column in range(8):
                place = 0 if column == 0 or ids[row, column - 1] == END else place + 1
                assert positions[row, column] == place
                assert labels[row, column] == (IGNORED if place == 0 else ids[row, column])


@pytest.mark.parametrize("packing", ["concatenate", "document"])
def test_the_order_visits_everything_exactly_as_often_as_its_passes(tmp_path, packing, monkeypatch):
    """Rows of the stream, or documents, in several shards; each batch asked for by one of three workers."""
    monkeypatch.setattr(mixture, "BLOCK", 100)
    passes, rng = {"a": 3, "b": 1}, np.random.default_rng(0)
    tokenizer = train_bpe(["a b 0123456789"], 300).backend_tokenizer
    for name in passes:
        texts = [f"{name}{i} " * rng.integers(1, 4) for i in range(700)]
        for shard in range(4):
            part = (Document(text, name) for text in texts[shard * 175 : (shard + 1) * 175])
            write_shard(part, tokenizer, END, tmp_path / name, shard, 4)
        write_manifest(tmp_path / name, 4, held_out=30)
    manifest = mixture.manifest(passes, {name: str(tmp_path / name) for name in passes}, [])
    packed = [Batches(manifest, length=32, rows=4, packing=packing, seed=1, pad=PAD) for _ in range(3)]
    seen = Counter()
    for number in range(len(packed[0])):
        ids = packed[number % 3].batch(number).ids
        seen.update(tuple(row) for row in ids) if packing == "concatenate" else seen.update(
            document for row in ids for document in documents_of(row)
        )
    expected = Counter()
    for corpus, times in zip(packed[0].corpora, passes.values(), strict=True):
        for unit in range(corpus.tokens // 32 if packing == "concatenate" else len(corpus)):
            tokens = corpus.stream(unit * 32, unit * 32 + 32) if packing == "concatenate" else corpus.document(unit)
            expected[tuple(tokens.tolist())] += times
    assert not seen - expected
    left_out = (expected - seen).total()
    assert left_out < 4 if packing == "concatenate" else left_out == 0  # an incomplete last batch of rows


def test_batches_of_documents_begin_where_the_plain_algorithm_says(two_sources):
    manifest, _, _ = two_sources
    packed = batches(manifest, "document")
    lengths = [len(packed.corpora[source].document(unit)) for source, unit in packed._units(np.arange(packed.size))]
    starts, room = [0], np.full(4, 24)
    for place, tokens in enumerate(lengths):
        row = best_fit(room, tokens)
        if row is None:
            starts.append(place)
            room[:], row = 24, 0
        room[row] -= tokens
    assert packed.starts.tolist() == [*starts, packed.size]


def test_a_mixture_of_the_papers_size_starts_without_memory(two_sources, monkeypatch):
    """27 million rows of 2048 tokens: the order is a formula, so that nothing is stored for a row."""
    manifest, _, _ = two_sources

    class Huge:
        tokens = 27_000_000 * 2048

        def __init__(self, folder):
            pass

    monkeypatch.setattr(mixture, "Corpus", Huge)
    tracemalloc.start()
    packed = batches(manifest, "concatenate", length=2048, rows=512)
    assert packed.size == 27_000_000 * 4
    assert len(packed) == packed.size // 512
    assert len(set(packed._units(np.arange(512)))) == 512
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_the_table_of_mixtures(two_sources, tmp_path):
    manifest, _, _ = two_sources
    (tmp_path / "m.json").write_text(json.dumps(manifest))
    found = mixture.table({"m": tmp_path / "m.json"})
    assert list(found.columns) == ["mixture", "source", "passes", "documents", "tokens", "share"]
    assert found["documents"].tolist() == [40, 75, 115]
    assert found["tokens"].iloc[:2].sum() == found["tokens"].iloc[2] == manifest["tokens"]
    assert found["share"].iloc[:2].sum() == pytest.approx(1, abs=1e-3)


def test_shares_with_the_other_reading_of_a_dataset(two_sources, tmp_path):
    """Half of the second source's documents and tokens: shares are of the new sum. By hand, from the manifest."""
    manifest, _, _ = two_sources
    (tmp_path / "m.json").write_text(json.dumps(manifest))
    held = mixture.table({"m": tmp_path / "m.json"})
    second = held["source"].iloc[1]
    found = mixture.scaled(held, {second: 0.5})
    a, b = held["tokens"].iloc[0], round(held["tokens"].iloc[1] / 2)
    assert found["tokens"].tolist() == [a, b, a + b]
    assert found["documents"].tolist() == [40, 38, 78]
    assert found["share"].tolist() == [round(a / (a + b), 4), round(b / (a + b), 4), 1.0]
    assert len(mixture.scaled(held, {"another": 0.5})) == 0
    omi2 = HubSource(kind="hub", dataset="openmathinstruct-2-all")
    ((line, factors),) = sizes.other_readings({"x": omi2, "y": HubSource(kind="hub", dataset="tinygsm")})
    assert factors == {"x": pytest.approx(14 / 22, rel=0.01)}
    assert "openmathinstruct-2 in place of openmathinstruct-2-all" in line


def test_a_batch_is_the_same_whenever_it_is_asked_for(two_sources):
    manifest, _, _ = two_sources
    first, again = batches(manifest, "document"), batches(manifest, "document")
    last = again.batch(len(again) - 1)
    assert (first.batch(len(first) - 1)[0] == last[0]).all()
    assert (first.batch(0)[0] != batches(manifest, "document", seed=1).batch(0)[0]).any()


@pytest.mark.parametrize("packing", ["document", "concatenate"])
def test_the_parts_of_a_batch_are_its_rows(two_sources, packing):
    """Each process asks for its own rows; together they are what one process sees, the short last batch included."""
    for made in (batches(two_sources[0], packing), batches(two_sources[0], packing, rows=1000)):
        half = made.rows // 2
        for number in range(len(made)):
            whole = made.batch(number)
            parts = [made.batch(number, part) for part in (slice(0, half), slice(half, 2 * half))]
            for expected, first, second in zip(whole, *parts, strict=True):
                if expected is not None:
                    assert (np.concatenate([first, second]) == expected).all()


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


def test_part_of_a_pass_sees_the_first_documents_once(two_sources):
    """By hand: half a pass over 4 documents is their first 2; 1.5 passes are all 4 and the first 2 again."""
    pairs = ((4, 0.5), (4, 1.5), (10, 0.3), (3, 0.5), (7, 2))
    assert [mixture.seen(units, passes) for units, passes in pairs] == [2, 6, 3, 1, 14]
    folders = {name: source["corpus"] for name, source in two_sources[0]["sources"].items()}
    packed = batches(mixture.manifest({"a": 0.5, "b": 1.4}, folders, []), "document")
    sources, documents = packed._numbers(np.arange(packed.size))
    visits = [np.bincount(documents[sources == number], minlength=units) for number, units in enumerate((40, 25))]
    assert visits[0].tolist() == [1] * 20 + [0] * 20
    assert visits[1].tolist() == [2] * 10 + [1] * 15


def test_a_shard_that_has_changed_since_it_was_written_is_refused_in_one_line(two_sources):
    """One flipped bit of one token, then no file at all."""
    manifest = two_sources[0]
    mixture.verify(manifest)
    shard = next((Path(manifest["sources"]["b"]["corpus"]) / "shards").glob("*.bin"))
    whole = shard.read_bytes()
    shard.write_bytes(whole[:7] + bytes([whole[7] ^ 1]) + whole[8:])
    with pytest.raises(
        UserError, match=r"b/shards/.*\.bin: found the hash [0-9a-f]{12}, allowed: [0-9a-f]{12}, as .*json"
    ):
        mixture.verify(manifest)
    shard.unlink()
    with pytest.raises(UserError, match=r"cannot be read .No such file or directory., allowed: a shard as"):
        mixture.verify(manifest)


def test_a_source_that_has_nothing_left_is_an_error_and_no_other_mixture(two_sources, tmp_path):
    """All of b is held out: the mixture would be a alone."""
    manifest, tokenizer, texts = two_sources
    documents = (Document(text, "b") for text in texts["b"])
    write_corpus(documents, tokenizer.backend_tokenizer, END, tmp_path / "b", held_out=25)
    for packing in ("document", "concatenate"):
        with pytest.raises(UserError, match=r"b: found no row of 24 tokens of b to train on, allowed: at least one"):
            batches(manifest, packing)
