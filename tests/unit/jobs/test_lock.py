"""Locks that are none: a FIFO, a folder, another user's file. None of them hangs."""

import os
import stat

import pytest

from echochamber.errors import UserError
from echochamber.jobs import lock


def a_fifo(path):
    os.mkfifo(path)


def a_folder(path):
    path.mkdir()


def a_device(path):
    path.symlink_to("/dev/null")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", [a_fifo, a_folder, a_device])
def test_what_is_no_lock_is_one_line(tmp_path, make):
    path = tmp_path / "LOCK"
    make(path)
    assert not lock.is_held(tmp_path)
    for hold in (lambda: lock.hold(path), lambda: lock.sole_writer(tmp_path).__enter__()):
        with pytest.raises(UserError) as error:
            hold()
        (line,) = str(error.value).splitlines()
        assert line.startswith(f"{path}: found ")
        assert line.endswith("allowed: a file that this user may write, in a folder of their own")


def test_a_file_of_another_user_is_one_line(tmp_path, monkeypatch):
    """Root may write everything: the kernel's answer to other users is put in its place."""
    (tmp_path / "LOCK").touch()

    def refused(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(lock.os, "open", refused)
    assert not lock.is_held(tmp_path)
    with pytest.raises(UserError, match=r"LOCK: found a lock that cannot be opened \(Permission denied\)"):
        lock.hold(tmp_path / "LOCK")


def test_a_lock_is_held_once_and_seen(tmp_path):
    with lock.sole_writer(tmp_path) as held:
        assert held
        assert lock.is_held(tmp_path)
        assert lock.hold(tmp_path / "LOCK") is None
        assert f"process {os.getpid()}" in (tmp_path / "LOCK").read_text()
    assert not lock.is_held(tmp_path)
    assert stat.S_ISREG((tmp_path / "LOCK").stat().st_mode)
    again = lock.hold(tmp_path / "LOCK")
    assert again is not None
    again.close()
