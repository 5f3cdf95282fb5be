"""Training in processes that can be killed: `python nursery.py` imports everything once and forks a child a run.

Commands come as JSON lines, {"kind", "folder", "fatal"}; the answer is the child's process id, and when it has ended,
its exit status. A child trains on a toy with the real checkpoint code, writes FOLDER/done.pt and exits with 0, or with
75 where SIGTERM made it save and stop. `fatal` kills it by itself, inside a write of its n-th state or of its n-th kept
checkpoint: {"write": n, "at": "half", "rotated" or "kept"}.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

KINDS = ("pretraining", "ppo", "grpo", "expert_iteration")


class Nursery:
    """The other side of the pipe."""

    def __enter__(self) -> Nursery:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "ECHO_SECONDS_BETWEEN_SAVES": "0.05"}
        environment["PYTHONPATH"] = str(Path(__file__).parents[2])  # the library beside these tests
        self.process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self.process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=60)

    def start(self, kind: str, folder: Path, fatal: dict | None = None) -> int:
        """Begin or resume the run of `folder`; gives the child's process id."""
        command = {"kind": kind, "folder": str(folder), "fatal": fatal}
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def wait(self) -> int:
        """The child's exit status, negative for the signal that killed it."""
        return int(self.process.stdout.readline())

    def run(self, kind: str, folder: Path, fatal: dict | None = None) -> int:
        self.start(kind, folder, fatal)
        return self.wait()


def outcome(folder: Path) -> dict[str, Any]:
    """All of a finished run that must not depend on interruptions: metrics (with the file that grew), final weights,
    kept checkpoints."""
    import torch

    done = torch.load(folder / "done.pt", weights_only=True)
    weights = {name: weight.numpy().tobytes() for name, weight in done["weights"].items()}
    kept = {path.parent.name: path.read_bytes() for path in folder.glob("checkpoints/step_*/model.safetensors")}
    table = (folder / "metrics.csv").read_bytes()
    return {"metrics": done["metrics"], "table": table, "weights": weights, "kept": kept}


def train(kind: str, folder: Path, world: Path, fatal: dict | None) -> None:
    """Begin or go on; ends with FOLDER/done.pt."""
    import torch

    from echochamber.jobs import files
    from echochamber.jobs.job import Stop
    from echochamber.models import checkpoint

    if fatal:
        _die_inside(checkpoint, files, torch, **fatal)
    checkpoint.SECONDS_BETWEEN_TABLES = 0
    state, stop = checkpoint.TrainingState(folder, {"kind": kind}), Stop()
    frame = {"seed": 0, "state": state, "stop": stop, "device": torch.device("cpu")}
    if kind == "pretraining":
        metrics, weights = _pretrain(world, frame)
    else:
        metrics, weights = _post_train(kind, frame)
    aside = folder / "done.part"
    torch.save({"metrics": metrics, "weights": weights}, aside)
    os.replace(aside, folder / "done.pt")


def _pretrain(world: Path, frame: dict) -> tuple[list, dict]:
    from safetensors.torch import load_file

    from echochamber.data.tokenizer import load_tokenizer
    from echochamber.models.parallel import Processes
    from echochamber.pretraining import trainer
    from echochamber.settings import Pretraining, Scale

    settings = Pretraining(
        sequence_length=32,
        batch_rows=4,
        packing="document",
        precision="fp32",
        warmup_steps=3,
        learning_rate=1e-2,
        log_every=5,
        held_out_every=20,
        held_out_documents=6,
        checkpoints=[10, 60, 120],
    )
    mixture = json.loads((world / "mixture.json").read_text())
    scale, tokenizer = Scale(width=16, layers=1, heads=2, intermediate=32), load_tokenizer(world / "tokenizer")
    frame["processes"] = Processes(frame.pop("device"))
    metrics, _ = trainer.train(settings, scale, mixture, tokenizer, **frame)
    last = max((frame["state"].folder / "checkpoints").glob("step_*"))
    return metrics, load_file(last / "model.safetensors")


def _post_train(kind: str, frame: dict) -> tuple[list, dict]:
    from rl_toys import QUESTIONS, letters, tiny_model, verify_letters

    from echochamber.algorithms import ExpertIteration, algorithm
    from echochamber.rl import expert_iteration, policy_gradient, rollout

    rollout.verify_batch = verify_letters
    expert_iteration.COMPLETIONS_AT_ONCE = 16
    common = {"sampling": {"temperature": 1.0, "max_new_tokens": 8}, "precision": "fp32", "micro_batch": 8}
    common |= {"kind": kind, "learning_rate": 3e-3}
    if kind == "expert_iteration":
        module = expert_iteration
        settings = ExpertIteration(iterations=4, prompts_per_iteration=12, samples_per_prompt=8, batch=8, **common)
    else:
        module = policy_gradient
        kl = {"ppo": {"place": "reward"}, "grpo": {"place": "loss", "estimator": "k3"}}[kind]
        settings = algorithm(
            passes=6,
            prompts_per_batch=6,
            samples_per_prompt=4,
            update_batch=12,
            critic_learning_rate=3e-3,
            kl=kl | {"coefficient": 0.05},
            log_spaced_checkpoints=3,
            checkpoint_every_pass=False,
            **common,
        )
    model = tiny_model(vocabulary=24, sharpness=6.0)
    metrics, _ = module.train(settings, model, letters(), QUESTIONS, **frame)
    return metrics, model.state_dict()


def _die_inside(checkpoint, files, torch, *, write: int, at: str) -> None:
    """Let the n-th write end in SIGKILL: with half of the state's bytes, between the two renames of the state, or
    with half of the bytes of a kept checkpoint."""
    count = 0
    save, replace, write_aside = torch.save, os.replace, files.write_aside

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def dying_save(state, path, *more):
        nonlocal count
        save(state, path, *more)
        count += at != "kept" and path.name.endswith("state.pt")
        if count == write and at == "half":
            path.flush()
            os.truncate(path.name, os.path.getsize(path.name) // 2)
            die()

    def dying_replace(source, target):
        if count == write and at == "rotated" and Path(target).name == "latest":
            die()
        replace(source, target)

    def dying_write_aside(path, write_it):
        nonlocal count
        kept = path.parent.name == "checkpoints"
        count += at == "kept" and kept

        def then_die(aside):
            write_it(aside)
            if count == write and at == "kept" and kept:
                os.truncate(aside / "model.safetensors", os.path.getsize(aside / "model.safetensors") // 2)
                die()

        write_aside(path, then_die)

    checkpoint.torch.save = dying_save
    checkpoint.os.replace = dying_replace
    checkpoint.files.write_aside = dying_write_aside


def make_world(folder: Path, passes: int = 6) -> None:
    """Two tiny sources on disk, their tokenizer and mixture: what pretraining reads. A pass makes 29 batches."""
    from echochamber.corpora.documents import Document
    from echochamber.data import mixture
    from echochamber.data.shards import write_corpus
    from echochamber.data.tokenizer import train_bpe

    texts = {"sums": [f"{i} + {i} = {2 * i}" for i in range(200)], "words": [f"so {i} it is" for i in range(60)]}
    tokenizer = train_bpe([text for part in texts.values() for text in part], 300)
    for name, documents in texts.items():
        rows = (Document(text, name) for text in documents)
        write_corpus(rows, tokenizer.backend_tokenizer, 2, folder / name, held_out=6)
    tokenizer.save_pretrained(folder / "tokenizer")
    manifest = mixture.manifest(
        {"sums": passes, "words": 2 * passes}, {name: str(folder / name) for name in texts}, ["words"]
    )
    (folder / "mixture.json").write_text(json.dumps(manifest))


def child(command: dict, world: Path) -> int:
    from echochamber.errors import Interrupted
    from echochamber.jobs.job import EXIT_INTERRUPTED

    try:
        train(command["kind"], Path(command["folder"]), world, command["fatal"])
    except Interrupted:
        return EXIT_INTERRUPTED
    except BaseException:
        import traceback

        traceback.print_exc()
        return 1
    return 0


def serve() -> None:
    import torch
    import transformers

    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    torch.set_num_threads(1)
    transformers.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as place:
        world = Path(place) / "world"
        make_world(world)
        for kind in ("pretraining", "grpo"):  # what is imported on first use is imported here, not in every child
            train(kind, Path(place) / kind, world, None)
        print("ready", file=answer, flush=True)
        for line in sys.stdin:
            process = os.fork()
            if process == 0:
                os._exit(child(json.loads(line), world))
            print(process, file=answer, flush=True)
            _, status = os.waitpid(process, 0)
            print(os.waitstatus_to_exitcode(status), file=answer, flush=True)


if __name__ == "__main__":
    serve()
