"""A script in several processes of this machine, by torchrun, with the exit status of one.

    python workflow_scripts/launch.py --gpus 8 pretrain --spec '<json>' --out DIR

The same as `python -m torch.distributed.run --nproc-per-node 8 workflow_scripts/pretrain.py ...`, but that a job which
has saved and stopped exits with 75 (torchrun says 1 for everything), and that saving may take longer than 30 seconds.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from echochamber import gpus
from echochamber.job import EXIT_ERROR, EXIT_INTERRUPTED, Stop, UserError

SECONDS_TO_SAVE = 600
"""How long the processes may take to save after SIGTERM before they are killed."""


def main(scripts: Path) -> None:
    """Run one of the stages in the folder `scripts`; does not return."""
    parser = argparse.ArgumentParser(description="A stage of the experiment grid in several processes.")
    parser.add_argument("--parent", type=int, help="save and stop when this process is gone")
    parser.add_argument(
        "--requeue", action="store_true", help="when interrupted, put this Slurm job back into the queue"
    )
    parser.add_argument("--gpus", type=int, default=1, help="one process for each; one process for 0 or 1")
    parser.add_argument("stage", help="which script of workflow_scripts/")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments")
    found = parser.parse_args()
    frame = (["--parent", str(found.parent)] if found.parent else []) + ["--requeue"] * found.requeue
    command = [str(scripts / f"{found.stage}.py"), *frame, *found.arguments]
    if found.gpus <= 1:
        os.execv(sys.executable, [sys.executable, *command])
    if not os.environ.get("ECHO_DEVICE"):
        try:
            leased = gpus.lease(found.gpus, Stop(found.parent))  # for all processes; one alone leases its own
        except UserError as error:
            sys.exit(str(error))
        if leased is None:
            sys.exit(EXIT_INTERRUPTED)
    sys.exit(torchrun(found.gpus, command))


def torchrun(processes: int, command: list[str]) -> int:
    """Exit status of `command` in so many processes: 0, 75 if all that failed have saved and stopped, else 1."""
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    os.environ["OMP_NUM_THREADS"] = str(max(1, threads // processes))
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=str(os.getpid()),
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        shutdown_timeout=SECONDS_TO_SAVE,
        signals_to_handle="SIGTERM,SIGUSR1,SIGINT",  # those of job.Stop, handed on
    )
    try:
        elastic_launch(config, sys.executable)(*command)
    except SignalException:
        return EXIT_INTERRUPTED
    except ChildFailedError as failed:
        statuses = {failure.exitcode for failure in failed.failures.values()}
        # The first that has ended lets torchrun send SIGTERM to the others, which may be past their own handler of it.
        stopped = EXIT_INTERRUPTED in statuses and statuses <= {EXIT_INTERRUPTED, -signal.SIGTERM}
        return EXIT_INTERRUPTED if stopped else EXIT_ERROR
    return 0
