"""python parallel_worker.py FOLDER: the runs that FOLDER/plan.json names, one after the other, in two processes.

The two are forked after all imports and joined by gloo, as torchrun would join them. Rank 0 writes FOLDER/NAME.json,
the rows of metrics.csv; a run with "stop_at" is asked to stop at that step in rank 1 alone.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import traceback
from pathlib import Path


def settings_of(plan: dict) -> tuple:
    from echochamber.settings import Pretraining, Scale

    shape = {"width": 16, "layers": 2, "heads": 2, "intermediate": 32}
    settings = {"sequence_length": 32, "batch_rows": 4, "packing": "document", "precision": "fp32", "warmup_steps": 3}
    settings |= {
        "learning_rate": 1e-3,
        "log_every": 3,
        "held_out_every": 9,
        "held_out_documents": 6,
        "checkpoints": [7],
    }
    return Pretraining(**settings | plan.get("settings", {})), Scale(**shape | plan.get("scale", {}))


def run(name: str, plan: dict, folder: Path, processes) -> list | None:
    """Rows of metrics.csv; None if it was stopped."""
    from echochamber.data.tokenizer import load_tokenizer
    from echochamber.errors import Interrupted
    from echochamber.models.checkpoint import TrainingState
    from echochamber.pretraining import trainer

    calls = 0

    def stop() -> bool:
        nonlocal calls
        calls += 1
        return calls == plan.get("stop_at") and processes.rank == processes.size - 1

    settings, scale = settings_of(plan)
    try:
        return trainer.train(
            settings,
            scale,
            json.loads((folder / "world/mixture.json").read_text()),
            load_tokenizer(folder / "world/tokenizer"),
            seed=0,
            state=TrainingState(folder / plan.get("state", name), {}) if processes.first else None,
            stop=stop,
            processes=processes,
        )[0]
    except Interrupted:
        return None


def main(folder: Path) -> None:
    import torch
    import transformers

    from echochamber.models import parallel
    from echochamber.pretraining import trainer  # noqa: F401

    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    plans = json.loads((folder / "plan.json").read_text())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ |= {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "ECHO_DEVICE": "cpu"}
    children = []
    for rank in range(2):
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        if child := os.fork():
            children.append(child)
            continue
        try:
            with parallel.joined(lambda: False) as processes:
                for name, plan in plans.items():
                    rows = run(name, plan, folder, processes)
                    if processes.first:
                        (folder / f"{name}.json").write_text(json.dumps(rows))
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
