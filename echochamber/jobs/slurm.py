"""The Slurm job that this process runs in, if any."""

from __future__ import annotations

import os
import subprocess

SECONDS = 60
"""How long Slurm's programs may take; its controller answers slowly when it is busy."""


def requeue() -> bool:
    """Put the Slurm job of this process back into the queue, where it keeps its number. True if that was done.

    Only a job that Slurm still calls running: one that was cancelled would rise again, and one that is being preempted
    without a grace time is requeued by Slurm itself. The caller has saved everything: Slurm ends the job right away.
    """
    job = os.environ.get("SLURM_JOB_ID")
    if not job or _call("squeue", "--noheader", "--jobs", job, "--format", "%T") != "RUNNING":
        return False
    return _call("scontrol", "requeue", job) is not None


def _call(*command: str) -> str | None:
    """What a program of Slurm answers; None if it is not there, fails or hangs."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
