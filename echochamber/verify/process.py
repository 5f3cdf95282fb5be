"""A child process that answers JSON lines, one reply a request: started lazily, killed when it does not answer."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time

from echochamber.verify import verdict


class LineProcess:
    """`command` as a child in its own session: it prints a line, then one JSON line a request. Not thread-safe."""

    def __init__(self, command: list[str], environment: dict[str, str] | None, start_seconds: float) -> None:
        self._command, self._environment, self._start_seconds = command, environment, start_seconds
        self._process: subprocess.Popen | None = None
        self._pending = b""

    def ask(self, request: dict, seconds: float) -> dict | None:
        """The reply; None if it was killed, ended or took longer than `seconds`, twice: the second try starts it anew.

        Raises OSError or ValueError if it does not start.
        """
        line = json.dumps(request).encode() + b"\n"
        for _ in range(2):
            if self._process is None or self._process.poll() is not None:
                self._start()
            try:
                self._process.stdin.write(line)
                self._process.stdin.flush()
                return json.loads(self._read_line(seconds))
            except (OSError, ValueError):
                self.kill()
                verdict.count("worker_restarts")
        return None

    def _start(self) -> None:
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
        except (OSError, ValueError):
            self.kill()
            raise

    def _read_line(self, seconds: float) -> bytes:
        """One line from the process. Raises ValueError at its end or after `seconds`."""
        deadline, handle = time.monotonic() + seconds, self._process.stdout.fileno()
        while b"\n" not in self._pending:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([handle], [], [], left)[0]:
                raise ValueError("no reply")
            part = os.read(handle, 65536)
            if not part:
                raise ValueError("end of file")
            self._pending += part
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def kill(self) -> None:
        """End the process and what it started, and reap it."""
        process, self._process, self._pending = self._process, None, b""
        if process is None:
            return
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            process.kill()
        process.stdout.close()
        with contextlib.suppress(OSError):  # an unsent request
            process.stdin.close()
        process.wait()
