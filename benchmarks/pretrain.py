"""Pretraining: tokens per second against transformers.Trainer, same model, batches, settings and machine.

    python benchmarks/pretrain.py                                           the demo's nano model
    python benchmarks/pretrain.py --grid config/paper.yaml --scale 150m     on a GPU, with its MFU

Both train on the same batches of random tokens; speed does not depend on what they say. Rounds of both take turns, each
with as many steps to warm up as are timed. `ratio` is the median over the rounds of the seconds that the peer took
against ours, `ratio_processor` the same of processor seconds, which other programs on the machine disturb less.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers
from workload import machine, report

from echochamber.corpora.documents import Document
from echochamber.data import mixture
from echochamber.data.mixture import Batches
from echochamber.data.shards import write_corpus
from echochamber.errors import Interrupted
from echochamber.grid import parsing
from echochamber.jobs import files
from echochamber.models import device as devices
from echochamber.models.architecture import build, training_flops_per_token
from echochamber.models.checkpoint import TrainingState
from echochamber.models.parallel import Processes
from echochamber.pretraining import trainer
from echochamber.settings import Pretraining, Scale

END, PAD = 2, 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grid", type=Path, default=Path(__file__).parent.parent / "config/demo.yaml")
    parser.add_argument("--scale", default="nano", help="one of the grid's scales")
    parser.add_argument("--batch-rows", type=int, help="rows of a batch (default: the grid's)")
    parser.add_argument("--micro-batch-rows", type=int, help="rows of a forward pass (default: the scale's)")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-peer", action="store_true", help="time this project's loop alone")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    transformers.logging.set_verbosity_error()
    device = devices.pick()
    if device.type == "cpu":
        print("found no GPU: tokens per second are those of the CPU, and there is no MFU", file=sys.stderr)
    grid = parsing.load(args.grid).file
    if args.scale not in grid.scales:
        parser.error(f"--scale: found {args.scale!r}, allowed: {', '.join(grid.scales)}")
    scale = grid.scales[args.scale].model_copy(update={"gpus": 1})
    if args.micro_batch_rows:
        scale = scale.model_copy(update={"micro_batch_rows": args.micro_batch_rows})
    changes = {"log_every": args.steps, "held_out_every": 10**9, "checkpoints": (), "warmup_steps": 0}
    changes |= {"batch_rows": args.batch_rows} if args.batch_rows else {}
    settings = grid.pretraining.model_copy(update=changes)
    vocabulary = getattr(grid.tokenizer, "vocabulary", 32_000)
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), settings, vocabulary, 2 * args.steps + 1)
        sides = {"echochamber": lambda: ours(settings, scale, world, args.steps, device)}
        if not args.no_peer:
            sides["trainer"] = lambda: theirs(settings, scale, world, args.steps, device)
        rounds: dict[str, list[Timing]] = {name: [] for name in sides}
        for number in range(args.rounds):
            for name, side in sides.items():
                rounds[name].append(side())
                print(f"round {number + 1}, {name}: {rounds[name][-1]}", flush=True)
    model = world.model(scale).to(device)
    tokens = settings.batch_rows * (settings.sequence_length - 1) * args.steps
    speed = {name: tokens / statistics.median(seconds for seconds, _ in seen) for name, seen in rounds.items()}
    flops = training_flops_per_token(model, settings.sequence_length)
    result = {"benchmark": "pretrain", "grid": grid.name, "scale": args.scale, "tokens_per_second": speed}
    result |= {"mfu": {name: devices.mfu(flops * per_second, device) for name, per_second in speed.items()}}
    if not args.no_peer:
        for name, column in (("ratio", 0), ("ratio_processor", 1)):
            pairs = zip(rounds["trainer"], rounds["echochamber"], strict=True)
            ratios = sorted(theirs[column] / ours[column] for theirs, ours in pairs)
            result |= {name: statistics.median(ratios), f"{name}s": [round(ratio, 3) for ratio in ratios]}
    result |= {"peak_bytes": devices.peak_bytes(device), "steps": args.steps, "rounds": args.rounds}
    result |= {"settings": settings.model_dump(mode="json"), "scale_settings": scale.model_dump(mode="json")}
    report(result | machine(model, args.threads))


Timing = tuple[float, float]
"""Seconds, and seconds of the processor, of the timed steps."""


class World:
    """Random documents, enough for `steps` batches, of about 77 tokens (the demo's) or longer than a row."""

    def __init__(self, folder: Path, settings: Pretraining, vocabulary: int, steps: int) -> None:
        self.folder, self.vocabulary, self.settings = folder, vocabulary, settings
        words = Tokenizer(models.WordLevel({str(i): i for i in range(vocabulary)}, unk_token="0"))
        words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        self.tokenizer = transformers.PreTrainedTokenizerFast(
            tokenizer_object=words, unk_token="0", pad_token=str(PAD), eos_token=str(END)
        )
        draw = np.random.default_rng(0)
        low, high = (40, 115) if settings.packing == "document" else (300, 4000)
        wanted = (steps + 2) * settings.batch_rows * settings.sequence_length * 2

        def documents():
            written = 0
            while written < wanted:
                ids = draw.integers(3, vocabulary, draw.integers(low, high))
                written += len(ids) + 1
                yield Document(" ".join(map(str, ids)), "random")

        write_corpus(documents(), words, END, folder / "random", held_out=2)
        self.mixture = mixture.manifest({"random": 1}, {"random": str(folder / "random")}, [])

    def model(self, scale: Scale) -> transformers.OlmoForCausalLM:
        length = self.settings.sequence_length
        return build(scale, vocabulary=self.vocabulary, context=length, eos=END, pad=PAD, seed=0)


def ours(settings: Pretraining, scale: Scale, world: World, steps: int, device: torch.device) -> Timing:
    """This project's loop, its log, its batches made while it runs."""
    folder, processor, calls = world.folder / "state", [], 0
    files.remove(folder)
    state = TrainingState(folder, {})

    def stop() -> bool:
        nonlocal calls
        calls += 1
        if calls % steps == 0:
            processor.append(time.process_time())
        return calls == 2 * steps

    with contextlib.suppress(Interrupted):
        trainer.train(
            settings,
            scale,
            world.mixture,
            world.tokenizer,
            seed=0,
            state=state,
            stop=stop,
            processes=Processes(device),
        )
    return state.load()["log"]["timings"][-1]["seconds_update"], processor[1] - processor[0]


class Rows(torch.utils.data.Dataset):
    """The same batches, made beforehand, row by row as the peer wants them."""

    def __init__(self, settings: Pretraining, world: World, steps: int) -> None:
        batches = Batches(
            world.mixture,
            length=settings.sequence_length,
            rows=settings.batch_rows,
            packing=settings.packing,
            document_mask=settings.document_mask,
            seed=0,
            pad=PAD,
        )
        self.batches = [batches.batch(number) for number in range(steps)]
        self.rows = settings.batch_rows

    def __len__(self) -> int:
        return len(self.batches) * self.rows

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        batch, row = self.batches[number // self.rows], number % self.rows
        item = {"input_ids": batch.ids[row], "labels": batch.labels[row]}
        if batch.positions is not None:  # from these transformers itself makes the mask of the documents
            item["position_ids"] = batch.positions[row]
        return {name: torch.from_numpy(values) for name, values in item.items()}


class InOrder(transformers.Trainer):
    def _get_train_sampler(self, *_):
        return torch.utils.data.SequentialSampler(self.train_dataset)


def theirs(settings: Pretraining, scale: Scale, world: World, steps: int, device: torch.device) -> Timing:
    """transformers.Trainer at its best: fused optimiser, batches made before, nothing saved, logged as seldom."""
    fitting, _ = trainer.fitted(scale, settings, world.model(scale), 2 * steps, Processes(device))
    micro = min(settings.batch_rows, fitting)
    cuda = device.type == "cuda"
    arguments = transformers.TrainingArguments(
        output_dir=str(world.folder / "peer"),
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=settings.batch_rows // micro,
        max_steps=2 * steps,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=settings.warmup_steps,
        adam_beta1=settings.betas[0],
        adam_beta2=settings.betas[1],
        adam_epsilon=settings.epsilon,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.gradient_clip,
        optim="adamw_torch_fused",
        bf16=settings.precision == "bf16",
        use_cpu=not cuda,
        torch_compile=(cuda and scale.compile == "auto") or scale.compile is True,
        logging_steps=settings.log_every,
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    marks: list[tuple[float, float]] = []

    class Clock(transformers.TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            if state.global_step % steps == 0:
                if cuda:
                    torch.cuda.synchronize()
                marks.append((time.monotonic(), time.process_time()))

    rows = Rows(settings, world, 2 * steps)
    peer = InOrder(model=world.model(scale), args=arguments, train_dataset=rows, callbacks=[Clock()])
    peer.remove_callback(transformers.PrinterCallback)
    peer.train()
    (began, processor_began), (ended, processor_ended) = marks
    return ended - began, processor_ended - processor_began


main()
