"""Child processes that a test interrupts."""

from __future__ import annotations

import signal


def interruptible() -> None:
    """For `preexec_fn`: Ctrl-C reaches the child. What `&` or nohup started ignores it, and hands that down."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
