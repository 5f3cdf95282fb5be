"""The GPUs of one machine, shared by jobs: each leases as many as it asks for and sees no others.

Snakemake counts GPUs but hands none out, so that two jobs would land on the first one. Here each device has a file that
its owner holds locked. The lock is the kernel's: it is free again the moment its owner dies, however it dies. Files and
locks are the whole machine's, so that several grids, and several users, do not disturb each other either.

Inside a Slurm job that was given GPUs, CUDA_VISIBLE_DEVICES names them, by numbers that may be its own: jobs share
devices with jobs in the same allocation only.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from echochamber.errors import UserError

LOCKS = Path("/tmp/echochamber-gpus")
"""Not the temporary folder of TMPDIR, which may be another one for each user or job. `ECHO_GPU_LOCKS` overrules it."""

log = logging.getLogger(__name__)


def visible() -> list[str]:
    """CUDA's names of the GPUs that this process may use: those of CUDA_VISIBLE_DEVICES, else the machine's numbers."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is None:
        return [str(number) for number in range(_on_this_machine())]
    names = []
    for name in map(str.strip, given.split(",")):
        if not name or name.startswith("-") or name == "NoDevFiles":  # CUDA passes over what follows, too
            break
        names.append(name)
    return names


def _on_this_machine() -> int:
    if not shutil.which("nvidia-smi"):
        return 0
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False)
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def lease(count: int, stop: Callable[[], bool] = lambda: False, seconds_between_tries: float = 0.5) -> list[str] | None:
    """Take `count` free devices for the rest of this process's life, and let CUDA_VISIBLE_DEVICES name them alone.

    Waits until there are so many. To be called before torch looks at the devices. Processes that this one starts with
    the variable share its devices.

    Returns:
        Their names; [] where there are no GPUs at all, None if `stop()` turned true while waiting.

    Raises:
        UserError: fewer devices are there than asked for.
    """
    names = visible()
    if not names:
        return []
    if count > len(names):
        raise UserError(
            f"found {len(names)} GPUs ({', '.join(names)}), allowed: at least the {count} that the job needs"
        )
    folder = _lock_folder()
    scope = f"slurm-{os.environ['SLURM_JOB_ID']}-" if "SLURM_JOB_ID" in os.environ else ""
    waiting = False
    while (held := _take(folder, scope, names, count)) is None:
        if stop():
            return None
        if not waiting:
            log.info("waiting for %d free of %d GPUs", count, len(names))
            waiting = True
        time.sleep(seconds_between_tries)
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(held)
    log.info("GPU %s", ", ".join(held))
    return held


def _take(folder: Path, scope: str, names: list[str], count: int) -> list[str] | None:
    """All or none, one process after the other: two that hold a part each would wait for each other for ever."""
    turn = _open(folder / f"{scope}turn")
    fcntl.flock(turn, fcntl.LOCK_EX)
    held: dict[str, int] = {}
    try:
        for name in names:
            if len(held) == count:
                break
            file = _open(folder / f"{scope}{name.replace('/', '_')}")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held[name] = file  # never closed: held as long as this process lives
            except BlockingIOError:
                os.close(file)
    finally:
        os.close(turn)
    if len(held) == count:
        return list(held)
    for file in held.values():
        os.close(file)
    return None


def _lock_folder() -> Path:
    """Made so that every user of the machine can add files and none can remove or replace another's."""
    folder = Path(os.environ.get("ECHO_GPU_LOCKS", LOCKS))
    with suppress(FileExistsError):
        folder.mkdir()
        folder.chmod(0o1777)
    if folder.is_symlink() or not folder.is_dir():
        raise UserError(f"{folder}: found something else, allowed: a folder, of locks on GPUs (remove what is there)")
    return folder


def _open(path: Path) -> int:
    """A descriptor to lock. Reading is enough for that, and all that other users are allowed."""
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        pass
    with suppress(FileExistsError):
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CREAT | os.O_EXCL, 0o644)
        os.fchmod(file, 0o644)  # whatever the umask
        return file
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
