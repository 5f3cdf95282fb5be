"""A set of files is whole by its listing, or by what its files' names say."""

import pytest

from echochamber.errors import UserError
from echochamber.jobs import downloads
from echochamber.jobs.downloads import File, lacking, read_listing, write_listing

TRAIN = ("main/train-*.parquet", "train.jsonl")


def put(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("four")


def listed(folder, *names, size=4):
    write_listing(folder, read_listing(folder) | {name: File(size, "id", "commit") for name in names})


@pytest.mark.parametrize(
    ("here", "missing"),
    [
        (
            ["main/train-00000-of-00003.parquet", "main/train-00002-of-00003.parquet"],
            "2 of 3 files main/train-*-of-00003.parquet",
        ),
        (["main/train-00000-of-00002.parquet", "main/train-00001-of-00002.parquet"], None),
        (["main/train-00001-of-00002.parquet", "main/train-00002-of-00002.parquet"], None),  # weights count from 1
        (["main/train-00000-of-00001.parquet", "main/test-00000-of-00002.parquet"], None),  # the other split's
        (["train.jsonl"], None),
        ([], None),
    ],
)
def test_a_copy_by_hand_has_as_many_files_as_their_names_say(tmp_path, here, missing):
    put(tmp_path, *here)
    assert lacking(tmp_path, TRAIN) == missing


def test_a_download_is_whole_when_all_that_was_listed_is_there_in_full(tmp_path):
    names = [f"main/train-0000{number}-of-00002.parquet" for number in range(2)]
    listed(tmp_path, *names)
    assert lacking(tmp_path, TRAIN) == f"0 of 2 files whole, not {names[0]}"
    put(tmp_path, names[0])
    assert lacking(tmp_path, TRAIN) == f"1 of 2 files whole, not {names[1]}"
    put(tmp_path, names[1])
    assert lacking(tmp_path, TRAIN) is None
    (tmp_path / names[1]).write_text("fo")
    assert lacking(tmp_path, TRAIN) == f"1 of 2 files whole, not {names[1]}"


def test_a_listing_says_nothing_of_files_that_were_not_asked_for(tmp_path):
    listed(tmp_path, "main/test-00000-of-00001.parquet")
    put(tmp_path, "main/train-00000-of-00001.parquet")
    assert lacking(tmp_path, TRAIN) is None


def test_files_that_are_not_numbered_are_whole_by_their_listing_alone(tmp_path):
    listed(tmp_path, "a.jsonl.zst", "b.jsonl.zst")
    put(tmp_path, "a.jsonl.zst")
    assert lacking(tmp_path, ("*.zst",)) == "1 of 2 files whole, not b.jsonl.zst"
    (tmp_path / downloads.LISTING).unlink()
    assert lacking(tmp_path, ("*.zst",)) is None  # nobody can tell


def test_one_line_says_what_is_missing_and_how_to_get_it(tmp_path):
    put(tmp_path, "train-00000-of-00002.parquet")
    with pytest.raises(UserError) as refused:
        downloads.refuse_lacking("corpora.tg", tmp_path, ("train-*",))
    line = str(refused.value)
    assert line.startswith(
        f"corpora.tg: found 1 of 2 files train-*-of-00002.parquet in {tmp_path}, allowed: all of them"
    )
    assert "`snakemake download`" in line
    assert "\n" not in line


def test_a_listing_that_is_none_is_one_line(tmp_path):
    (tmp_path / downloads.LISTING).write_text('{"a": 3}')
    with pytest.raises(UserError, match="found no listing of a download"):
        read_listing(tmp_path)
