"""RL on a GPU: decoding against the memory's bandwidth, seconds per RL step, peak memory. The last line is JSON.

    python benchmarks/gpu_rl.py [--prompts 64 --samples 8 --new-tokens 512 --rounds 3]     needs a CUDA device
    python benchmarks/gpu_rl.py --tiny                                                     any device: does it run?

The paper's 150M model with fresh weights, in bf16 (--tiny: a toy). In the measurement of decoding no token ends a row,
so that all have the same length; in RL steps a model that has learned nothing hardly ever ends one, so that nearly all
run to the limit: the most expensive step there is. Rewards are random, so that groups are informative. The bandwidth
that the limit is made of is measured beside it, by copying memory. Recorded decoding steps are compared with the same
steps run kernel by kernel: in speed and, greedily in fp32, in tokens.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import torch
from workload import fresh, machine, report

from echochamber.algorithms import algorithm
from echochamber.models import architecture
from echochamber.models import device as devices
from echochamber.models.forward import LanguageModel
from echochamber.rl.step import Trainer
from echochamber.sampling.generate import generate
from echochamber.sampling.graphs import Graphs
from echochamber.sampling.prompts import encode_questions, end_and_padding
from echochamber.settings import Sampling

ALGORITHMS = {
    "grpo": {"place": "loss", "estimator": "k3", "coefficient": 1e-3},
    "ppo": {"place": "reward", "estimator": "k1", "coefficient": 1e-3},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in {"prompts": 64, "samples": 8, "new-tokens": 512, "micro-batch": 64, "rounds": 3}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--tiny", action="store_true", help="a toy on any device: shows that it runs, measures nothing")
    args = parser.parse_args()
    device = devices.pick()
    if device.type != "cuda" and not args.tiny:
        sys.exit(f"gpu_rl: found the device {devices.name(device)}, allowed: a CUDA device, or --tiny")
    size = "toy" if args.tiny else "150m"
    base, tokenizer, questions = fresh(size, questions=args.prompts, new_tokens=args.new_tokens, device=device)
    _, pad = end_and_padding(tokenizer)
    prompts = encode_questions(tokenizer, questions)
    result = {
        "benchmark": "gpu_rl",
        "tiny": args.tiny,
        "completions": args.prompts * args.samples,
        "new_tokens": args.new_tokens,
        "prompt_tokens_mean": sum(map(len, prompts)) / len(prompts),
        "decoding": decoding(args, base, prompts, pad, device),
        "rl_step": {kind: rl_step(args, kind, base, tokenizer, questions, prompts, device) for kind in ALGORITHMS},
        **machine(base, torch.get_num_threads()),
    }
    report(result)


def decoding(args: argparse.Namespace, base, prompts: list[list[int]], pad: int, device: torch.device) -> dict:
    """Tokens per second, recorded and not, and the share of what the memory's bandwidth allows."""
    plain = LanguageModel(base.eval())
    compiled = LanguageModel(base, compile=device.type == "cuda")
    rows = args.prompts * args.samples

    def decode(greedy: bool = False, new_tokens: int = args.new_tokens):
        return generate(
            plain if greedy else compiled,
            prompts,
            samples=1 if greedy else args.samples,
            sampling=Sampling(temperature=1.0, max_new_tokens=new_tokens),
            greedy=greedy,
            eos=-1,
            pad=pad,
            generator=torch.Generator().manual_seed(0),
            max_rows=rows,
            fixed_shapes=True,
        )

    recorded = decode(greedy=True, new_tokens=32).completions
    with kernel_by_kernel():
        same = decode(greedy=True, new_tokens=32).completions == recorded
    reset_peak(device)
    with devices.autocast(device, "bf16"):
        seconds = best(decode, args.rounds, device)
        peak = devices.peak_bytes(device)
        with kernel_by_kernel():
            unrecorded = best(decode, args.rounds, device)
    mean = sum(map(len, prompts)) / len(prompts) + args.new_tokens / 2
    read = architecture.decoding_bytes_per_step(base, rows=rows, tokens=mean, bytes_per_number=2)
    speed, bandwidth = rows * args.new_tokens / seconds, memory_bandwidth(device, 2**30 if not args.tiny else 2**24)
    return {
        "recorded_equals_unrecorded": same,
        "tokens_per_second": speed,
        "tokens_per_second_unrecorded": rows * args.new_tokens / unrecorded,
        "bytes_read_per_step": read,
        "bandwidth_bytes_per_second": bandwidth,
        "share_of_bandwidth_limit": architecture.share_of_decoding_limit(speed, rows, read, bandwidth),
        "peak_bytes": peak,
    }


def rl_step(args: argparse.Namespace, kind: str, base, tokenizer, questions, prompts, device: torch.device) -> dict:
    """Seconds of a whole step and of its parts, and the most memory that was held."""
    settings = algorithm(
        kind=kind,
        passes=1000,
        prompts_per_batch=args.prompts,
        samples_per_prompt=args.samples,
        sampling={"temperature": 1.0, "max_new_tokens": args.new_tokens},
        update_batch=min(64, args.prompts * args.samples),
        micro_batch=args.micro_batch,
        kl=ALGORITHMS[kind],
        reward="random",
    )
    trainer = Trainer(settings, base, tokenizer, len(questions), 0, device)
    reset_peak(device)
    timings = []

    def step():
        row, timing = trainer.step(len(timings) + 1, prompts, questions)
        timings.append(timing | {"completion_tokens_mean": row["completion_tokens_mean"]})

    seconds = best(step, args.rounds, device)
    kept = ("seconds_generate", "seconds_verify", "seconds_update", "completion_tokens_mean")
    return {"seconds": seconds, "peak_bytes": devices.peak_bytes(device)} | {name: timings[-1][name] for name in kept}


class kernel_by_kernel:
    """Nothing is recorded inside."""

    def __enter__(self) -> None:
        self.run = Graphs.run
        Graphs.run = lambda graphs, shape, step: step()

    def __exit__(self, *_) -> None:
        Graphs.run = self.run


def best(run: Callable[[], object], rounds: int, device: torch.device) -> float:
    """Seconds of the fastest round; one more before them warms up."""
    seconds = []
    for _ in range(rounds + 1):
        synchronise(device)
        started = time.perf_counter()
        run()
        synchronise(device)
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:])


def memory_bandwidth(device: torch.device, size: int) -> float:
    """Bytes per second, read and written, of a copy of `size` bytes."""
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * size / best(lambda: target.copy_(source), 10, device)


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def reset_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


main()
