"""What the RL benchmarks have in common: a trained nano model or a fresh one, its prompts, the machine's name."""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, OlmoForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from echochamber.corpora import synthetic
from echochamber.corpora.documents import Question
from echochamber.corpora.sources import read_questions
from echochamber.data.tokenizer import train_bpe
from echochamber.jobs.job import versions
from echochamber.models import architecture
from echochamber.models import device as devices
from echochamber.sampling.prompts import encode_questions, end_and_padding
from echochamber.settings import Scale, SyntheticQuestions

SIZES = {
    "150m": (Scale(width=768, layers=12, heads=12, intermediate=3072), 32_000),
    "toy": (Scale(width=64, layers=2, heads=2, intermediate=256), 512),
}
"""Models with fresh weights, and their vocabularies: the paper's smallest, and one for any machine."""


def fresh(
    size: str, *, questions: int, new_tokens: int, device: torch.device
) -> tuple[OlmoForCausalLM, PreTrainedTokenizerBase, list[Question]]:
    """A model of `SIZES` that has learned nothing, a tokenizer, and questions for it."""
    scale, vocabulary = SIZES[size]
    asked = SyntheticQuestions(kind="synthetic", train=questions, test=1, seed=1)
    chosen = synthetic.questions(asked, "gpu", "train")
    tokenizer = train_bpe([question.question for question in chosen], min(512, vocabulary))
    eos, pad = end_and_padding(tokenizer)
    context = 128 + new_tokens
    model = architecture.build(scale, vocabulary=vocabulary, context=context, eos=eos[0], pad=pad, seed=0)
    return model.to(device), tokenizer, chosen


def arguments(description: str, **defaults: int) -> argparse.Namespace:
    """`--model`, `--questions`, `--threads` and an integer option for each of `defaults`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--model", type=Path, help="checkpoint folder (default: the demo's newest nano model)")
    parser.add_argument("--questions", type=Path, help="questions file (default: the demo's RL prompts)")
    parser.add_argument("--threads", type=int, default=1)
    for name, value in defaults.items():
        parser.add_argument("--" + name.replace("_", "-"), type=int, default=value)
    parser.add_argument("--fresh", choices=SIZES, help="a model with fresh weights, and questions made for it, instead")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.fresh:
        return args
    results = Path(__file__).parent.parent / "results/demo"
    args.model = args.model or next(reversed(sorted(results.glob("models/*/nano/*/checkpoints/*"))), None)
    args.questions = args.questions or next(iter(sorted(results.glob("questions/*/train*"))), None)
    if not (args.model and args.questions):
        allowed = "run the demo first, name --model and --questions, or --fresh"
        parser.error(f"found no model of the demo, allowed: {allowed}")
    return args


def load(args: argparse.Namespace) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, list, list[list[int]]]:
    """Model, tokenizer, questions, and the questions' token ids. `args.model` is the folder of a fresh one too."""
    if args.fresh:
        asked = vars(args)
        questions, tokens = asked.get("prompts", 64), asked.get("max_new_tokens", 128)
        model, tokenizer, questions = fresh(args.fresh, questions=questions, new_tokens=tokens, device=devices.pick())
        args.model = Path(tempfile.mkdtemp())
        model.save_pretrained(args.model)
        tokenizer.save_pretrained(args.model)
    else:
        tokenizer = AutoTokenizer.from_pretrained(args.model)
        questions = read_questions(args.questions)
        model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).to(devices.pick())
    return model.eval(), tokenizer, questions, encode_questions(tokenizer, questions)


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
    """The last line of a benchmark's output: everything, as JSON. Out even if the process ends without a flush."""
    print(json.dumps(result), flush=True)
