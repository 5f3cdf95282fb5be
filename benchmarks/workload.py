"""What the RL benchmarks have in common: a trained nano model, its prompts, one thread, the machine's name."""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from echochamber.corpora.sources import read_questions
from echochamber.jobs.job import versions
from echochamber.models import device as devices
from echochamber.sampling.prompts import encode_questions


def arguments(description: str, **defaults: int) -> argparse.Namespace:
    """`--model`, `--questions`, `--threads` and an integer option for each of `defaults`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--model", type=Path, help="checkpoint folder (default: the demo's newest nano model)")
    parser.add_argument("--questions", type=Path, help="questions file (default: the demo's RL prompts)")
    parser.add_argument("--threads", type=int, default=1)
    for name, value in defaults.items():
        parser.add_argument("--" + name.replace("_", "-"), type=int, default=value)
    args = parser.parse_args()
    results = Path(__file__).parent.parent / "results/demo"
    args.model = args.model or next(reversed(sorted(results.glob("models/*/nano/*/checkpoints/*"))), None)
    args.questions = args.questions or next(iter(sorted(results.glob("questions/*/train*"))), None)
    if not (args.model and args.questions):
        parser.error("found no model of the demo, allowed: run the demo first, or name --model and --questions")
    torch.set_num_threads(args.threads)
    return args


def load(args: argparse.Namespace) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, list, list[list[int]]]:
    """Model, tokenizer, questions, and the questions' token ids."""
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    questions = read_questions(args.questions)
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).to(devices.pick()).eval()
    return model, tokenizer, questions, encode_questions(tokenizer, questions)


def machine(model: PreTrainedModel, threads: int) -> dict:
    """What a reader needs to judge a time by."""
    return {
        "device": devices.name(model.device),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "threads": threads,
        "load_average": os.getloadavg()[0],
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "versions": {name: versions()[name] for name in ("torch", "transformers")},
    }


def report(result: dict) -> None:
    """The last line of a benchmark's output: everything, as JSON."""
    print(json.dumps(result))
