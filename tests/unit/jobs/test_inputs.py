"""Files from outside the grid are known by their contents, and each is read once."""

import os

import pytest

from echochamber.errors import UserError
from echochamber.jobs import inputs
from echochamber.jobs.inputs import Contents, matching, pattern


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """data/a.bin, data/b.bin and data/c.txt, which settled long ago; what is remembered stands in memory/."""
    monkeypatch.setattr(inputs, "FRESH_SECONDS", -1.0)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "memory").mkdir()
    (tmp_path / "data").mkdir()
    for name in ("a.bin", "b.bin", "c.txt", ".hidden.bin"):
        (tmp_path / "data" / name).write_text(name)
    return tmp_path / "data"


@pytest.fixture
def contents(folder):
    return Contents(folder.parent / "memory/inputs.json")


def reads(monkeypatch) -> list[str]:
    """The files that are read from now on."""
    names: list[str] = []
    plain = inputs.sha256
    monkeypatch.setattr(inputs, "sha256", lambda path: (names.append(os.path.basename(path)), plain(path))[1])
    return names


BINARY = "data/*.bin"


def test_the_first_pattern_with_files_counts_and_hidden_files_do_not(folder, contents):
    assert [path.name for path in matching(BINARY)] == ["a.bin", "b.bin"]
    assert list(contents.of(["data/*.safetensors", BINARY, "data/*"])) == [BINARY]
    assert contents.of(["nowhere/*", "data/*.pt"]) == {}


@pytest.mark.parametrize("name", ["[1] *?", "a]b[c", "plain"])
def test_a_folder_is_taken_as_it_is_called(folder, name):
    (folder / name / "deep").mkdir(parents=True)
    for file in (folder / name / "deep/x.bin", folder / "x.bin"):
        file.write_text("x")
    assert matching(pattern(folder / name, "*.bin")) == [folder / name / "deep/x.bin"]
    assert matching(pattern(f"data/{name}", "*.bin"))[0].parent.name == "deep"
    assert matching(pattern(f"./data/{name}/", "*.bin"))[0].parent.name == "deep"


def test_the_folder_at_hand_is_one_too(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert [path.name for path in matching(pattern(".", "*.bin"))] == ["a.bin", "b.bin"]


@pytest.mark.parametrize("change", ["content", "name", "more", "less"])
def test_a_change_is_seen_whatever_the_clock_of_the_file_says(folder, contents, change):
    before = contents.of([BINARY])
    file, status = folder / "b.bin", (folder / "b.bin").stat()
    if change == "content":
        file.write_text("B.bin")  # as many bytes
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    elif change == "name":
        file.rename(folder / "d.bin")
    elif change == "more":
        (folder / "d.bin").write_text("")
    else:
        file.unlink()
    assert contents.of([BINARY]).keys() == before.keys()
    assert contents.of([BINARY]) != before
    assert Contents(contents.memory).of([BINARY]) == contents.of([BINARY])


def test_a_copy_with_equal_contents_is_the_same(folder, contents):
    before = contents.of([BINARY])
    os.utime(folder / "a.bin")
    (folder / "a.bin").unlink()
    (folder / "a.bin").write_text("a.bin")
    (folder / "c.txt").write_text("not one of them")
    assert contents.of([BINARY]) == before


def test_each_file_is_read_once_in_all_processes(folder, contents, monkeypatch):
    names = reads(monkeypatch)
    before = contents.of([BINARY])
    assert sorted(names) == ["a.bin", "b.bin"]
    names.clear()
    assert contents.of([BINARY]) == Contents(contents.memory).of([BINARY]) == before
    assert names == []
    (folder / "b.bin").write_text("more")
    Contents(contents.memory).of([BINARY])
    assert names == ["b.bin"]


def test_what_was_changed_a_moment_ago_is_read_again(folder, contents, monkeypatch):
    """Two changes within one tick of the clock leave the same stamp."""
    monkeypatch.setattr(inputs, "FRESH_SECONDS", 3600.0)
    names = reads(monkeypatch)
    before = contents.of([BINARY])
    assert Contents(contents.memory).of([BINARY]) == before
    assert sorted(names) == ["a.bin", "a.bin", "b.bin", "b.bin"]


def test_what_is_gone_has_not_changed(folder, contents):
    before = contents.of(["other/*", BINARY])
    folder.rename(folder.with_name("gone"))
    assert Contents(contents.memory).of(["other/*", BINARY]) == before
    assert Contents(None).of([BINARY]) == {}


def test_a_job_refuses_files_that_are_not_those_it_was_planned_with(folder, contents):
    planned = contents.of([BINARY])
    contents.check(planned)
    (folder / "a.bin").write_text("other")
    with pytest.raises(UserError, match=r"^data/\*\.bin: found other contents \(.*\) than this job was planned with"):
        contents.check(planned)
    folder.rename(folder.with_name("gone"))
    with pytest.raises(UserError, match=r"^data/\*\.bin: found nothing, allowed: the files that this job was planned"):
        contents.check(planned)


def test_a_memory_that_cannot_be_read_costs_a_second_look(folder, contents):
    before = contents.of([BINARY])
    contents.memory.write_text("{")
    assert Contents(contents.memory).of([BINARY]) == before
