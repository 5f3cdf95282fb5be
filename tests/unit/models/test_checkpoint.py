"""What is saved comes back; a kill at any point of a save leaves something whole; damage is seen and passed over."""

import json
import logging
import os

import pandas as pd
import pytest
import torch

from echochamber.jobs import files
from echochamber.models import checkpoint
from echochamber.models.checkpoint import TrainingState


def state_of(folder, number=1):
    return TrainingState(folder, {"setting": number})


def test_round_trip(tmp_path):
    saved = {"step": 3, "weights": {"w": torch.randn(4, 2)}, "rows": [{"loss": 0.5, "empty": None}]}
    state_of(tmp_path).save(saved)
    loaded = state_of(tmp_path).load()
    assert loaded["step"] == 3
    assert loaded["rows"] == saved["rows"]
    assert torch.equal(loaded["weights"]["w"], saved["weights"]["w"])


def test_nothing_saved_is_none(tmp_path):
    assert state_of(tmp_path).load() is None
    assert state_of(tmp_path).finished() is None


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "no checksum"])
def test_a_damaged_state_is_passed_over_for_the_one_before_it(tmp_path, caplog, damage):
    state = state_of(tmp_path)
    state.save({"step": 1})
    state.save({"step": 2})
    file = tmp_path / "latest/state.pt"
    content = bytearray(file.read_bytes())
    if damage == "truncate":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    elif damage == "empty":
        file.write_bytes(b"")
    else:
        (tmp_path / "latest/sha256").unlink()
    with caplog.at_level(logging.WARNING):
        assert state_of(tmp_path).load()["step"] == 1
    assert "damaged" in caplog.text


def test_the_table_grows_and_after_a_resume_begins_where_it_was_saved(tmp_path, monkeypatch):
    table = tmp_path / "metrics.csv"
    rows = [{"step": n, "loss": 1 / n, "loss_omi1": 0.1} if n == 3 else {"step": n, "loss": 1 / n} for n in (1, 2, 3)]
    state = state_of(tmp_path)
    state.show([], now=True)
    assert not table.exists()
    state.show(rows[:1])
    assert table.read_text() == "step,loss\n1,1.0\n"
    state.show(rows[:2])  # a moment ago: not again
    assert table.read_text() == "step,loss\n1,1.0\n"
    state.show(rows, now=True)
    assert table.read_text() == "step,loss,loss_omi1\n1,1.0,\n2,0.5,\n3,0.3333333333333333,0.1\n"
    resumed = state_of(tmp_path)  # that had saved its first row alone
    resumed.show(rows[:1], now=True)
    assert table.read_text() == "step,loss\n1,1.0\n"
    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN_TABLES", 0)
    resumed.show(rows[:2])
    assert table.read_text() == "step,loss\n1,1.0\n2,0.5\n"
    resumed.finish({"metrics": rows})
    files.write_csv(tmp_path / "declared.csv", pd.DataFrame(rows))
    assert table.read_bytes() == (tmp_path / "declared.csv").read_bytes()


class Killed(BaseException):
    pass


@pytest.mark.parametrize("call", range(1, 4))
def test_a_kill_at_any_rename_or_removal_of_a_save_loses_one_save_at_most(tmp_path, monkeypatch, call):
    """The calls that change names, in order: remove previous, latest -> previous, next -> latest."""
    state = state_of(tmp_path)
    state.save({"step": 1})
    state.save({"step": 2})
    calls = 0

    def dies(function):
        def wrapped(*arguments):
            nonlocal calls
            if "next.part" not in str(arguments[0]) or function is replace:
                calls += 1
                if calls == call:
                    raise Killed
            return function(*arguments)

        return wrapped

    replace, remove = os.replace, files.remove
    monkeypatch.setattr(os, "replace", dies(replace))
    monkeypatch.setattr(files, "remove", dies(remove))
    with pytest.raises(Killed):
        state.save({"step": 3})
    monkeypatch.undo()
    assert state_of(tmp_path).load()["step"] == 2
    state_of(tmp_path).save({"step": 3})
    assert state_of(tmp_path).load()["step"] == 3


def test_another_spec_starts_afresh(tmp_path):
    state = state_of(tmp_path)
    state.save({"step": 1})
    (tmp_path / "LOCK").write_text("held")
    assert state_of(tmp_path).load() is not None
    assert state_of(tmp_path, number=2).load() is None
    assert (tmp_path / "LOCK").exists()


class Saves(torch.nn.Module):
    """Stands for a model and for a tokenizer: both only have to be able to save themselves."""

    def __init__(self, name):
        super().__init__()
        self.name = name

    def save_pretrained(self, folder, state_dict=None):
        os.makedirs(folder, exist_ok=True)
        (folder / self.name).write_text(self.name)


def test_kept_checkpoints_are_published_and_survive_the_loss_of_what_was_published(tmp_path):
    state = state_of(tmp_path / "state")
    for step in (1, 20):
        state.keep(step, Saves("model"), Saves("tokenizer"))
    state.keep(20, Saves("model"), Saves("tokenizer"))  # a resumed run may reach a step again
    state.finish({"metrics": [{"step": 20}]})
    for _ in range(2):
        state.publish(tmp_path / "out")
        assert sorted(p.name for p in (tmp_path / "out/checkpoints").iterdir()) == ["step_00000001", "step_00000020"]
        assert (tmp_path / "out/checkpoints/step_00000020/model").read_text() == "model"
        files.remove(tmp_path / "out")  # what Snakemake does to the outputs of a job that it did not see end
    assert state_of(tmp_path / "state").finished() == {"metrics": [{"step": 20}]}


def test_half_a_checkpoint_that_a_kill_left_is_not_published(tmp_path):
    state = state_of(tmp_path / "state")
    state.keep(1, Saves("model"), Saves("tokenizer"))
    (tmp_path / "state/checkpoints/.step_00000002.77.part").mkdir()
    state.publish(tmp_path / "out")
    assert [path.name for path in (tmp_path / "out/checkpoints").iterdir()] == ["step_00000001"]


def test_publishing_copies_where_there_are_no_hard_links(tmp_path, monkeypatch):
    def no_link(source, target):
        raise OSError("not supported")

    monkeypatch.setattr(checkpoint.os, "link", no_link)
    state = state_of(tmp_path / "state")
    state.keep(1, Saves("model"), Saves("tokenizer"))
    state.publish(tmp_path / "out")
    assert (tmp_path / "out/checkpoints/step_00000001/model").exists()


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "table.csv"
    files.write_text(path, "old")

    def fails(aside):
        aside.write_text("ne")
        raise Killed

    with pytest.raises(Killed):
        files.write_aside(path, fails)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_lines(tmp_path):
    rows = [{"a": 1}, {"b": "é\n"}]
    files.write_json_lines(tmp_path / "x.jsonl", rows)
    assert files.read_json_lines(tmp_path / "x.jsonl") == rows
    files.write_json(tmp_path / "x.json", {"b": 1, "a": [2]})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": [2], "b": 1}
