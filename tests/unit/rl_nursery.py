"""Training in processes that can be killed: `python rl_nursery.py` imports everything once and forks a child a run.

Commands come as JSON lines, {"algorithm", "folder", "fatal"}; the answer is the child's process id, and when it has
ended, its exit status. A child trains on a toy with the real checkpoint code, writes FOLDER/done.pt and exits with 0.
`fatal` kills it by itself: {"save": n, "at": "half" or "rotated"} inside the n-th write of its state.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ALGORITHMS = ("ppo", "grpo", "expert_iteration")


class Nursery:
    """The other side of the pipe."""

    def __enter__(self) -> Nursery:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "ECHO_SECONDS_BETWEEN_SAVES": "0.05"}
        self.process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self.process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=60)

    def start(self, algorithm: str, folder: Path, fatal: dict | None = None) -> int:
        """Begin or resume the run of `folder`; gives the child's process id."""
        command = {"algorithm": algorithm, "folder": str(folder), "fatal": fatal}
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def wait(self) -> int:
        """The child's exit status, negative for the signal that killed it."""
        return int(self.process.stdout.readline())

    def run(self, algorithm: str, folder: Path, fatal: dict | None = None) -> int:
        self.start(algorithm, folder, fatal)
        return self.wait()


def train(algorithm: str, folder: Path, fatal: dict | None) -> None:
    import torch
    from rl_toys import QUESTIONS, letters, tiny_model, verify_letters

    from echochamber import checkpoint, files
    from echochamber.rl import expert_iteration, policy_gradient, rollout
    from echochamber.settings import ExpertIteration, PolicyGradient

    rollout.verify_batch = verify_letters
    expert_iteration.COMPLETIONS_AT_ONCE = 16
    if fatal:
        _die_in_save(checkpoint, files, torch, **fatal)
    common = {"sampling": {"temperature": 1.0, "max_new_tokens": 8}, "precision": "fp32", "micro_batch": 8}
    if algorithm == "expert_iteration":
        module, settings = (
            expert_iteration,
            ExpertIteration(
                kind=algorithm,
                iterations=4,
                prompts_per_iteration=12,
                samples_per_prompt=8,
                batch=8,
                learning_rate=3e-3,
                **common,
            ),
        )
    else:
        kl = {"ppo": {"place": "reward"}, "grpo": {"place": "loss", "estimator": "k3"}}[algorithm]
        module, settings = (
            policy_gradient,
            PolicyGradient(
                kind=algorithm,
                passes=6,
                prompts_per_batch=6,
                samples_per_prompt=4,
                update_batch=12,
                learning_rate=3e-3,
                critic_learning_rate=3e-3,
                kl=kl | {"coefficient": 0.05},
                log_spaced_checkpoints=3,
                checkpoint_every_pass=False,
                **common,
            ),
        )
    state = checkpoint.TrainingState(folder, {"algorithm": algorithm})
    model = tiny_model(vocabulary=24, sharpness=6.0)
    metrics, _ = module.train(
        settings,
        model,
        letters(),
        QUESTIONS,
        seed=0,
        state=state,
        stop=lambda: False,
        device=torch.device("cpu"),
    )
    aside = folder / "done.part"
    torch.save({"metrics": metrics, "weights": model.state_dict()}, aside)
    os.replace(aside, folder / "done.pt")


def _die_in_save(checkpoint, files, torch, *, save: int, at: str) -> None:
    """Let the n-th write of the state end in SIGKILL: with half of the bytes, or between the two renames."""
    count = 0
    write, replace = torch.save, os.replace

    def dying_save(state, path, *more):
        nonlocal count
        write(state, path, *more)
        if Path(path).name == "state.pt":
            count += 1
            if count == save and at == "half":
                os.truncate(path, os.path.getsize(path) // 2)
                os.kill(os.getpid(), signal.SIGKILL)

    def dying_replace(source, target):
        if count == save and at == "rotated" and Path(target).name == "latest":
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    checkpoint.torch.save = dying_save
    checkpoint.os.replace = dying_replace


def serve() -> None:
    import torch
    import transformers

    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    torch.set_num_threads(1)
    transformers.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:  # what is imported on first use is imported here, not in every child
        train("grpo", Path(folder), None)
    print("ready", file=answer, flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                train(command["algorithm"], Path(command["folder"]), command["fatal"])
            except BaseException:
                import traceback

                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        print(child, file=answer, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answer, flush=True)


if __name__ == "__main__":
    serve()
