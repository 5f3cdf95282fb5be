"""The GPUs of one machine, shared by jobs: each leases as many as it asks for, or a part of one, and sees no others.

Snakemake counts GPUs but hands none out, so that two jobs would land on the first one. Here each device has a file that
its owner holds locked. The lock is the kernel's: it is free again the moment its owner dies, however it dies. Files and
locks are the whole machine's, so that several grids, and several users, do not disturb each other either.

A part is so many of a device's 20 slots, each a file too, and a shared lock on the device's own file, of which a whole
device is an exclusive one. `ECHO_GPU_PERCENT` says how large a part this process takes, and `models.device` obeys.

Inside a Slurm job that was given GPUs, CUDA_VISIBLE_DEVICES names them, by numbers that may be its own: jobs share
devices with jobs in the same allocation only.
"""

from __future__ import annotations

import fcntl
import logging
import math
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

SLOTS = 20
"""Parts that a device has: a lease takes the next larger number of them."""

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


def percent() -> int:
    """Hundredths of one GPU, and of its memory, that this process takes: `ECHO_GPU_PERCENT`, 100 where it is not set.

    More than 100 are whole ones, a process each; 0 was planned for a machine without any.

    Raises:
        UserError: it is none.
    """
    given = os.environ.get("ECHO_GPU_PERCENT") or "100"
    if not given.isdecimal():
        raise UserError(f"ECHO_GPU_PERCENT: found {given!r}, allowed: a whole number, 100 for a GPU")
    return min(int(given) or 100, 100)


def out_of_memory(error: BaseException) -> str | None:
    """One line about a GPU without free memory, with the part of it that this job has; None for another error."""
    if type(error).__name__ != "OutOfMemoryError":
        return None
    said = " ".join(str(error).split()).split(". ")[0]
    return (
        f"found no memory left on the GPU ({said}), of which this job has {percent()} % (gpu_share), "
        "allowed: a larger gpu_share of its scale or algorithm, or a smaller micro-batch"
    )


def lease(count: int, stop: Callable[[], bool] = lambda: False, seconds_between_tries: float = 0.5) -> list[str] | None:
    """Take `count` free devices, or `percent()` hundredths of one, and let CUDA_VISIBLE_DEVICES name them alone.

    For the rest of this process's life.

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
    part = percent()
    if part < 100 and count > 1:
        raise UserError(f"ECHO_GPU_PERCENT: found {part} for a job on {count} GPUs, allowed: 100")
    waiting = False
    while (held := _take(folder, scope, names, count, math.ceil(part * SLOTS / 100))) is None:
        if stop():
            return None
        if not waiting:
            log.info("waiting for %s free of %d GPUs", count if part == 100 else f"{part} % of one", len(names))
            waiting = True
        time.sleep(seconds_between_tries)
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(held)
    log.info("GPU %s%s", ", ".join(held), "" if part == 100 else f", {part} % of it")
    return held


def _take(folder: Path, scope: str, names: list[str], count: int, slots: int) -> list[str] | None:
    """All or none, one process after the other: two that hold a part each would wait for each other for ever."""
    turn = _open(folder / f"{scope}turn")
    fcntl.flock(turn, fcntl.LOCK_EX)
    try:
        files = {name: folder / f"{scope}{name.replace('/', '_')}" for name in names}
        return _whole(files, count) if slots == SLOTS else _part(files, slots)
    finally:
        os.close(turn)


def _whole(files: dict[str, Path], count: int) -> list[str] | None:
    """`count` devices that nobody else has any part of. Their files are never closed: held as long as this process
    lives."""
    held: dict[str, int] = {}
    for name, path in files.items():
        if len(held) < count and (file := _locked(path, fcntl.LOCK_EX)) is not None:
            held[name] = file
    if len(held) == count:
        return list(held)
    for file in held.values():
        os.close(file)
    return None


def _part(files: dict[str, Path], slots: int) -> list[str] | None:
    """So many slots of the fullest device that has them, so that whole ones stay free."""
    offers: dict[str, list[int]] = {}
    for name, path in files.items():
        if (file := _locked(path, fcntl.LOCK_SH)) is None:
            continue
        free = [_locked(path.with_name(f"{path.name}.slot{number:02}"), fcntl.LOCK_EX) for number in range(SLOTS)]
        offers[name] = [file, *(slot for slot in free if slot is not None)]
    chosen = min((n for n in offers if len(offers[n]) > slots), key=lambda name: len(offers[name]), default=None)
    for name, held in offers.items():
        for file in held[slots + 1 :] if name == chosen else held:
            os.close(file)
    return None if chosen is None else [chosen]


def _locked(path: Path, how: int) -> int | None:
    """An open file that holds its lock until it is closed; None if another one holds it."""
    file = _open(path)
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file


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
