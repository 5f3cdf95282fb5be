"""A child process that answers JSON lines, one reply a request: started lazily, killed when it does not answer."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from typing import IO, Any

from echochamber.verify import patience, verdict

LONGEST_LINE = 2**20
"""Bytes of a reply; a process that says more is out of its mind, and replaced."""
STARTS = 3
"""Tries to start a process: one may be killed at its start, when memory is short."""
SLICE = 0.25
"""Seconds between two looks at whether the caller was asked to stop."""
END_SECONDS = 2.0
"""Between the moment that a process closes its pipe and its end."""


class _NoReply(ValueError):
    """The process said nothing in its time."""


class LineProcess:
    """`command` as a child in its own session: it prints a line, then one JSON line a request. Not thread-safe."""

    def __init__(self, command: list[str], environment: dict[str, str] | None, start_seconds: float) -> None:
        self._command, self._environment, self._start_seconds = command, environment, start_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._pending = b""
        self._closed = False
        self.ended: str | None = None
        """How the process came to its end in the last request that had no reply; None: it went on without one."""

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any] | None:
        """The reply; None if it was killed, ended or took longer than `seconds`, twice: the second try starts it anew.

        Raises OSError or ValueError if it does not start, Interrupted if the caller was asked to stop meanwhile.
        """
        line = json.dumps(request).encode() + b"\n"
        for _ in range(2):
            if self._process is None or self._process.poll() is not None:
                self._start()
            try:
                requests, _ = self._pipes()
                requests.write(line)
                requests.flush()
                reply: dict[str, Any] = json.loads(self._read_line(seconds))
                return reply
            except (OSError, ValueError) as error:
                self.ended = None if isinstance(error, _NoReply) else self._status()
                self.kill()
                verdict.count("worker_restarts")
                if self._closed:
                    break
            except BaseException:  # Ctrl-C, a stop: the next reply must not be taken for another question's
                self.kill()
                raise
        return None

    def _start(self) -> None:
        """Start the process, again where it ends before it is ready."""
        self._closed = False
        for left in reversed(range(STARTS)):
            try:
                self._start_once()
                break
            except (OSError, ValueError):
                if not left or self._closed:
                    raise
                verdict.count("worker_restarts")

    def _start_once(self) -> None:
        self.kill()
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self._environment,
            start_new_session=True,
        )
        try:
            self._read_line(self._start_seconds)
        except BaseException:
            self.kill()
            raise

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        """To the process and from it. Raises ValueError if there is none: another thread has ended it."""
        if self._process is None or self._process.stdin is None or self._process.stdout is None:
            raise ValueError("no process")
        return self._process.stdin, self._process.stdout

    def _read_line(self, seconds: float) -> bytes:
        """One line from the process. Raises ValueError at its end or after `seconds`."""
        deadline, handle = time.monotonic() + seconds, self._pipes()[1].fileno()
        while b"\n" not in self._pending:
            left = deadline - time.monotonic()
            if left <= 0:
                raise _NoReply("no reply")
            if not select.select([handle], [], [], min(left, SLICE))[0]:
                patience.check()
                continue
            part = os.read(handle, 65536)
            if not part:
                raise ValueError("end of file")
            self._pending += part
            if len(self._pending) > LONGEST_LINE:
                raise ValueError("a reply without end")
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def _status(self) -> str | None:
        """Of a process that has ended, in words; None: it has not."""
        if self._process is None:
            return None
        try:
            code = self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            return None
        return f"status {code}" if code >= 0 else f"signal {-code}"

    def give_up(self) -> None:
        """End the process under a thread that waits for its reply, which then gets none."""
        self._closed = True
        process = self._process
        if process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)

    def kill(self) -> None:
        """End the process and what it started, and reap it."""
        if self._process is None:
            self._pending = b""
            return
        requests, replies = self._pipes()
        process, self._process, self._pending = self._process, None, b""
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            process.kill()
        replies.close()
        with contextlib.suppress(OSError):  # an unsent request
            requests.close()
        process.wait()
