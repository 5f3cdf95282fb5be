"""A script in several processes of this machine, or of a Slurm job's, by torchrun, with the exit status of one.

    python workflow_scripts/launch.py --gpus 8 pretrain --spec '<json>' --out DIR
    python workflow_scripts/launch.py --gpus 16 --nodes 2 pretrain --spec '<json>' --out DIR       # in a Slurm job

The same as `python -m torch.distributed.run --nproc-per-node 8 workflow_scripts/pretrain.py ...`, but that a job which
has saved and stopped exits with 75 (torchrun says 1 for everything), and that saving may take longer than 30 seconds.
On several nodes `srun` starts a copy of this script on each, with `--rendezvous`, for its part of the processes.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from echochamber.errors import UserError
from echochamber.jobs import gpus, start
from echochamber.jobs.job import EXIT_ERROR, EXIT_INTERRUPTED, Stop

SECONDS_TO_SAVE = 600
"""How long the processes may take to save after SIGTERM before they are killed."""

SECONDS_TO_MEET = 600
"""How long the nodes of a job wait for each other."""


def main(scripts: Path) -> None:
    """Run one of the stages in the folder `scripts`."""
    start.imported()
    parser = argparse.ArgumentParser(description="A stage of the experiment grid in several processes.")
    parser.add_argument("--parent", type=int, help="save and stop when this process is gone")
    parser.add_argument(
        "--requeue", action="store_true", help="when interrupted, put this Slurm job back into the queue"
    )
    parser.add_argument("--gpus", type=int, default=1, help="one process for each; one process for 0 or 1")
    parser.add_argument("--nodes", type=int, default=1, help="of this Slurm job; they share the processes equally")
    parser.add_argument("--rendezvous", help="HOST:PORT of the first node: this is one of its copies")
    parser.add_argument("stage", help="which script of workflow_scripts/")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments")
    args = parser.parse_args()
    if args.gpus % args.nodes or args.gpus < args.nodes > 1:
        sys.exit(f"gpus: found {args.gpus} on {args.nodes} nodes, allowed: a multiple of the nodes")
    if args.nodes > 1 and not args.rendezvous:
        sys.exit(on_nodes(args.nodes, Stop(args.parent)))
    frame = (["--parent", str(args.parent)] if args.parent else []) + ["--requeue"] * args.requeue
    script, arguments = scripts / f"{args.stage}.py", [*frame, *args.arguments]
    processes = args.gpus // args.nodes
    if args.gpus <= 1:
        start.run(script, arguments)
        return
    if not os.environ.get("ECHO_DEVICE"):
        try:
            leased = gpus.lease(processes, Stop(args.parent))  # for all processes; one alone leases its own
        except UserError as error:
            sys.exit(str(error))
        if leased is None:
            sys.exit(EXIT_INTERRUPTED)
    sys.exit(torchrun(processes, [str(script), *arguments], args.nodes, args.rendezvous))


def on_nodes(nodes: int, stop: Callable[[], bool]) -> int | str:
    """Run this very command once on each node of this Slurm job, whose first one this is; its exit status or its error.

    Slurm sends its warnings to the copies itself. Others that reach this process are handed on as SIGUSR1: srun passes
    that one on, where SIGTERM would let it kill the copies.
    """
    if "SLURM_JOB_ID" not in os.environ or not shutil.which("srun"):
        return f"nodes: found {nodes} outside a Slurm job, allowed: 1 (docs/cluster.md)"
    with socket.socket() as free:
        free.bind(("", 0))
        endpoint = f"{socket.gethostname()}:{free.getsockname()[1]}"
    arguments = sys.argv[1:]
    if "--parent" in arguments:  # of the copies Slurm is the parent
        at = arguments.index("--parent")
        del arguments[at : at + 2]
    step = ["srun", "--overlap", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1"]
    # The first copy may still save when another one has ended; a copy that is alone after a fault does not stay.
    step += ["--kill-on-bad-exit=0", f"--wait={SECONDS_TO_SAVE}"]
    job = subprocess.Popen([*step, sys.executable, sys.argv[0], "--rendezvous", endpoint, *arguments])
    told = False
    while job.poll() is None:
        if stop() and not told:
            job.send_signal(signal.SIGUSR1)
            told = True
        with contextlib.suppress(subprocess.TimeoutExpired):
            job.wait(0.5)
    return job.returncode if job.returncode in (0, EXIT_INTERRUPTED) else EXIT_ERROR


def torchrun(processes: int, command: list[str], nodes: int = 1, rendezvous: str | None = None) -> int:
    """Exit status of `command` in so many processes a node: 0, 75 if all that failed have saved and stopped, else 1."""
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    os.environ["OMP_NUM_THREADS"] = str(max(1, threads // processes))
    settings: dict[str, Any] = {"run_id": str(os.getpid()), "rdzv_backend": "c10d", "rdzv_endpoint": "localhost:0"}
    if rendezvous:  # the node's number is Slurm's
        number = {"rank": int(os.environ["SLURM_NODEID"]), "timeout": SECONDS_TO_MEET}
        settings = {"run_id": rendezvous, "rdzv_backend": "static", "rdzv_endpoint": rendezvous, "rdzv_configs": number}
    config = LaunchConfig(
        min_nodes=nodes,
        max_nodes=nodes,
        nproc_per_node=processes,
        **settings,
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
