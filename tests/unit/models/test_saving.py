"""How a state gets to the disk: hashed on its way, no more often than it is worth, beside the steps that follow."""

import hashlib
import threading
from pathlib import Path

import pytest
import torch

from echochamber.models import saving
from echochamber.models.checkpoint import TrainingState


@pytest.fixture
def slow(tmp_path, monkeypatch):
    """A state whose last save was long, so that the next is written beside; its writes wait for `go`."""
    state = TrainingState(tmp_path, {"setting": 1})
    state.save({"step": 1, "w": torch.zeros(3)})
    state.pace.saved(took=5.0)
    state.go, begun, real = threading.Event(), threading.Event(), torch.save

    def waiting(values, file):
        begun.set()
        assert state.go.wait(20)
        real(values, file)

    monkeypatch.setattr(saving.torch, "save", waiting)
    state.begun = begun
    return state


def again(state):
    return TrainingState(state.folder, {"setting": 1})


def test_the_hash_is_that_of_the_file(tmp_path):
    saving.write({"w": torch.randn(1000, 7), "rows": [1, None, "x"]}, tmp_path)
    digest = hashlib.sha256((tmp_path / "state.pt").read_bytes()).hexdigest()
    assert (tmp_path / "sha256").read_text() == digest


def test_the_bytes_are_those_that_torch_writes_by_itself(tmp_path):
    """But for the name of the archive's folder, which torch takes from the file's."""
    state = {"w": torch.randn(50, 7), "moments": [torch.ones(3, dtype=torch.bfloat16)]}
    saving.write(state, tmp_path)
    loaded = torch.load(tmp_path / "state.pt", weights_only=True)
    assert torch.equal(loaded["w"], state["w"])
    assert torch.equal(loaded["moments"][0], state["moments"][0])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here, which is a disk that is full")
def test_a_full_disk_is_an_error_of_the_system(tmp_path):
    (tmp_path / "state.pt").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        saving.write({"w": torch.randn(100_000)}, tmp_path)


def test_saves_take_a_thirtieth_of_the_time_at_most(monkeypatch):
    pace = saving.Pace()
    monkeypatch.setattr(saving.time, "monotonic", lambda: clock)
    clock = 1000.0
    pace.saved(took=0.01)
    assert pace.seconds == 60
    pace.saved(took=108.0)
    assert pace.seconds == 30 * 108
    clock += 30 * 108
    assert not pace.due()
    clock += 1
    assert pace.due()
    monkeypatch.setattr(saving, "SECONDS_BETWEEN_SAVES", 0.5)  # as somebody says it
    assert pace.seconds == 0.5


def test_a_save_beside_the_next_steps_holds_what_it_was_called_with(slow):
    weights, rows = torch.ones(3), [{"loss": 1.0}]
    slow.save({"step": 2, "w": weights, "tied": weights[1:], "rows": rows}, beside=True)
    assert slow.begun.wait(20)
    weights.zero_()  # the steps that follow
    rows.append({"loss": 2.0})
    rows[0]["loss"] = 3.0
    assert not slow.due()
    assert again(slow).load()["step"] == 1
    slow.go.set()
    slow.writing.result(20)
    loaded = again(slow).load()
    assert loaded["step"] == 2
    assert loaded["w"].tolist() == [1.0, 1.0, 1.0]
    assert loaded["rows"] == [{"loss": 1.0}]
    assert loaded["tied"].data_ptr() == loaded["w"].data_ptr() + 4


def test_a_short_save_is_waited_for(tmp_path):
    state = TrainingState(tmp_path, {"setting": 1})
    state.save({"step": 1}, beside=True)
    assert state.writing is None
    assert state.load()["step"] == 1


def test_without_memory_for_a_copy_a_save_is_waited_for(slow, monkeypatch):
    monkeypatch.setattr(saving, "host_bytes_free", lambda: 15)
    slow.go.set()
    slow.save({"step": 2, "w": torch.ones(3)}, beside=True)
    assert slow.writing is None
    assert slow.load()["step"] == 2


def test_the_last_save_does_not_wait_for_one_that_goes_on(slow):
    """Slurm's grace is short: what is being written is dropped where it is, and `latest` is never half of it."""
    slow.save({"step": 2, "w": torch.ones(10**6)}, beside=True)
    assert slow.begun.wait(20)
    threading.Timer(0.2, slow.go.set).start()
    slow.save({"step": 3})
    assert again(slow).load() == {"step": 3}
    state = again(slow)
    (slow.folder / "latest/sha256").unlink()
    assert state.load()["step"] == 1  # and the one before it is not half of it either


def test_an_error_beside_the_steps_stops_the_run(slow, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saving, "write", full)
    slow.save({"step": 2}, beside=True)
    slow.writing.exception(20)
    with pytest.raises(OSError, match="No space left"):
        slow.due()
    assert again(slow).load()["step"] == 1


def test_tensors_that_share_their_numbers_count_once():
    w = torch.zeros(10)
    assert saving.tensor_bytes({"a": w, "b": [w[2:], {"c": torch.zeros(2, dtype=torch.bfloat16)}]}) == 44


def test_the_limit_of_a_control_group_bounds_what_is_free(tmp_path):
    own = tmp_path / "own"
    own.write_text("0::/slurm/job7\n")
    machine = saving.host_bytes_free(tmp_path, own)
    job = tmp_path / "slurm/job7"
    job.mkdir(parents=True)
    (job / "memory.max").write_text("max\n")
    (job / "memory.current").write_text("900\n")
    (job / "memory.stat").write_text("anon 600\ninactive_file 300\n")
    assert saving.host_bytes_free(tmp_path, own) > machine / 2
    for name, text in {"memory.max": "1000", "memory.current": "950", "memory.stat": "inactive_file 300"}.items():
        (tmp_path / f"slurm/{name}").write_text(f"{text}\n")
    assert saving.host_bytes_free(tmp_path, own) == 350
