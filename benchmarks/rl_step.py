"""One RL step: seconds against TRL's GRPOTrainer, same model, prompts, batch, rewards and KL pass.

    python benchmarks/rl_step.py [--model FOLDER --questions FILE] [--prompts 64 --samples 8] [--rounds 3]
    python benchmarks/rl_step.py --fresh 150m --max-new-tokens 512 the paper's smallest, on a GPU in bf16

A step samples prompts x samples completions, judges them with this project's verifier, makes the reference pass for the
k3 loss term and one optimiser step for every 64 completions. The learning rate is too small to change anything, so that
each step has the same work. Steps of both are made in turns in one process; the best of each counts. On a GPU
the peer samples through vLLM where that is installed (not run yet), else by transformers' generate.
"""

from __future__ import annotations

import os
import tempfile
import time
from importlib.util import find_spec

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

import torch
import trl
from datasets import Dataset
from transformers import TrainerCallback
from workload import arguments, load, machine, report

from echochamber.algorithms import algorithm
from echochamber.rl import schedule
from echochamber.rl.step import Trainer
from echochamber.verify import verify_batch

COEFFICIENT, RATE = 1e-3, 1e-12
VLLM = torch.cuda.is_available() and find_spec("vllm") is not None


def main() -> None:
    args = arguments(
        __doc__.splitlines()[0], prompts=64, samples=8, rounds=3, max_new_tokens=112, update_batch=64, micro_batch=64
    )
    model, tokenizer, questions, prompts = load(args)
    completions = args.prompts * args.samples
    settings = algorithm(
        kind="grpo",
        passes=1000,
        prompts_per_batch=args.prompts,
        samples_per_prompt=args.samples,
        sampling={"temperature": 1.0, "max_new_tokens": args.max_new_tokens},
        update_batch=args.update_batch,
        micro_batch=args.micro_batch,
        learning_rate=RATE,
        kl={"place": "loss", "estimator": "k3", "coefficient": COEFFICIENT},
        precision="bf16" if model.device.type == "cuda" else "fp32",
    )
    trainer = Trainer(settings, model, tokenizer, len(questions), 0, model.device)
    parts: list[dict] = []

    def ours(step: int) -> int:
        numbers = schedule.prompt_numbers(step, args.prompts, len(questions), 0)
        row, timing = trainer.step(step + 1, [prompts[n] for n in numbers], [questions[n] for n in numbers])
        parts.append({name: timing[name] for name in ("seconds_generate", "seconds_verify", "seconds_update")})
        return round(row["completion_tokens_mean"] * completions)

    theirs = Peer(args, tokenizer, questions, completions)
    rounds: dict[str, list[tuple[int, float]]] = {"echochamber": [], "trl": []}
    for step in range(args.rounds + 1):  # the first step warms up
        for name, make in (("echochamber", ours), ("trl", theirs.step)):
            started = time.perf_counter()
            tokens = make(step)
            if step:
                rounds[name].append((tokens, time.perf_counter() - started))
                print(f"{name}: {tokens} tokens, {rounds[name][-1][1]:.2f} s", flush=True)
    seconds = {name: min(seconds for _, seconds in seen) for name, seen in rounds.items()}
    per_token = {name: min(seconds / tokens for tokens, seconds in seen) for name, seen in rounds.items()}
    report(
        {
            "benchmark": "rl_step",
            "seconds_per_step": seconds,
            "ratio": seconds["trl"] / seconds["echochamber"],
            "ratio_per_completion_token": per_token["trl"] / per_token["echochamber"],
            "echochamber_parts": parts[-1],
            "completions": completions,
            "completion_tokens_mean": {name: seen[-1][0] / completions for name, seen in rounds.items()},
            "settings": settings.model_dump(mode="json"),
            "peer_settings": theirs.settings,
            "trl": trl.__version__,
            **machine(model, args.threads),
        }
    )


class Peer:
    """TRL's trainer, paused between the steps of a run.

    At its best on one CPU thread: the completions of a step from one generate call with a static cache (as in
    generate.py), no gradient checkpointing, no logging, no saving, batches as large as the update.
    """

    def __init__(self, args, tokenizer, questions, completions: int) -> None:
        self.settings = {
            "per_device_train_batch_size": args.micro_batch,
            "gradient_accumulation_steps": args.update_batch // args.micro_batch,
            "generation_batch_size": completions,
            "num_generations": args.samples,
            "max_completion_length": args.max_new_tokens,
            "temperature": 1.0,
            "top_p": 1.0,
            "top_k": 0,
            "cache_implementation": "static",
            "beta": COEFFICIENT,
            "loss_type": "bnpo",
            "use_bias_correction_kl": False,
            "learning_rate": RATE,
            "adam_beta2": 0.95,
            "optim": "adamw_torch_fused",
            "gradient_checkpointing": False,
            "bf16": torch.cuda.is_available(),
            **({"use_vllm": True, "vllm_mode": "colocate"} if VLLM else {}),
            "use_cpu": not torch.cuda.is_available(),
            "max_steps": 10**6,
            "report_to": [],
            "logging_strategy": "no",
            "save_strategy": "no",
            "disable_tqdm": True,
            "remove_unused_columns": False,
        }
        peer = self

        class Paused(trl.GRPOTrainer):
            def _generate_and_score_completions(self, inputs):
                out = super()._generate_and_score_completions(inputs)
                peer.tokens = int(out["completion_mask"].sum())
                return out

        def judge(completions, completion_ids, answer, **_):
            finished = [ids[-1] == tokenizer.eos_token_id for ids in completion_ids]
            verdicts = verify_batch(completions, answer, finished=finished)
            return [float(verdict.correct) for verdict in verdicts]

        rows = {"prompt": [q.question + "\n\n" for q in questions], "answer": [q.answer for q in questions]}
        self.trainer = Paused(
            model=str(args.model),
            reward_funcs=judge,
            args=trl.GRPOConfig(output_dir=tempfile.mkdtemp(), **self.settings),
            train_dataset=Dataset.from_dict(rows),
            processing_class=tokenizer,
        )
        self.per_step = completions // args.update_batch
        self.tokens = 0
        self.trainer.model.eval()

    def step(self, step: int) -> int:
        """Optimiser steps for one generation batch."""
        if not hasattr(self, "run"):
            self.run = self._run()
        next(self.run)
        return self.tokens

    def _run(self):
        """TRL's own training loop in a thread that waits after each generation batch's updates."""
        import threading

        go, done = threading.Semaphore(0), threading.Semaphore(0)

        class Pause(TrainerCallback):
            def on_step_end(self, args, state, control, **_):
                if state.global_step % peer.per_step == 0:
                    done.release()
                    go.acquire()

        peer = self
        self.trainer.add_callback(Pause())

        def loop():
            go.acquire()
            self.trainer.train()

        threading.Thread(target=loop, daemon=True).start()
        while True:
            go.release()
            done.acquire()
            yield


main()
os._exit(0)  # TRL's thread waits for ever
