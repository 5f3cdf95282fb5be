"""What the RL benchmarks have in common: a trained nano model, its prompts, one thread, the machine's name."""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from echochamber import device as devices
from echochamber.corpora.sources import read_questions
from echochamber.job import versions
from echochamber.rl.rollout import encode_questions


def arguments(description: str, **defaults: int) -> argparse.Namespace:
    """`--model`, `--questions`, `--threads` and an integer option for each of `defaults`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--model", type=Path, help="checkpoint folder (default: the demo's newest nano model)")
    parser.add_argument("--questions", type=Path, help="questions file (default: the demo's RL prompts)")
    parser.add_argument("--threads", type=int, default=1)
    for name, value in defaults.items():
        parser.add_argument("--" + name.replace("_", "-"), type=int, default=value)
    found = parser.parse_args()
    results = Path(__file__).parent.parent / "results/demo"
    found.model = found.model or next(reversed(sorted(results.glob("models/*/nano/*/checkpoints/*"))), None)
    found.questions = found.questions or next(iter(sorted(results.glob("questions/synth-gsm/train*"))), None)
    if not (found.model and found.questions):
        parser.error("found no model of the demo, allowed: run the demo first, or name --model and --questions")
    torch.set_num_threads(found.threads)
    return found


def load(found: argparse.Namespace) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, list, list[list[int]]]:
    """Model, tokenizer, questions, and the questions' token ids."""
    tokenizer = AutoTokenizer.from_pretrained(found.model)
    questions = read_questions(found.questions)
    model = AutoModelForCausalLM.from_pretrained(found.model, dtype=torch.float32).to(devices.pick()).eval()
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
