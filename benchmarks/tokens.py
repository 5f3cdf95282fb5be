"""Tokenising short documents: tokens per second on one core and on two, against `datasets.map` on the same file.

    python benchmarks/tokens.py [--documents 40000] [--vocabulary 8000] [--rounds 3]

Documents are TinyGSM-like programs of the embedded world in a JSON lines file of the hub's layout. Ours is the whole
way of a shard: reading, judging, encoding, checksum, files. The peer is a fast tokenizer of `transformers` in
`Dataset.map`, batched, its table loaded before the clock starts. Both use as many processes as cores, and no threads.
The best of the rounds counts; the last line of the output is JSON.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import tempfile
import time
from pathlib import Path

import datasets
from datasets import Dataset
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from echochamber.corpora import document_sets, synthetic
from echochamber.data.shards import write_shard
from echochamber.data.tokenizer import train_bpe
from echochamber.jobs.job import versions
from echochamber.settings import HubSource, SyntheticSource


def shard(folder: str, part: int, parts: int) -> tuple[int, float]:
    """Tokenise one part; returns its tokens and the seconds of a processor that they took."""
    started = time.process_time()
    source = HubSource(kind="hub", dataset="tinygsm", path=folder)
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer/tokenizer.json")
    documents = document_sets.documents(source, "tg", "", part, parts)
    tokens = write_shard(documents, tokenizer, 2, Path(folder) / "corpus", part, parts)["tokens"]
    return tokens, time.process_time() - started


def peer(table: Dataset, tokenizer, processes: int) -> int:
    """The same with `datasets.map`; returns the tokens, an end token a document."""

    def encode(batch: dict) -> dict:
        texts = [f"{question}\n\n{code}" for question, code in zip(batch["question"], batch["code"], strict=True)]
        return {"input_ids": tokenizer(texts, add_special_tokens=False).input_ids}

    done = table.map(
        encode, batched=True, remove_columns=table.column_names, num_proc=processes, load_from_cache_file=False
    )
    return sum(len(chunk.flatten()) for chunk in done.data["input_ids"].chunks) + len(done)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=40_000)
    parser.add_argument("--vocabulary", type=int, default=8000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    datasets.disable_progress_bars()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # read when something is encoded; the pool's processes inherit it
    cores = min(2, os.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as folder, multiprocessing.get_context("spawn").Pool(cores) as pool:
        settings = SyntheticSource(
            kind="synthetic", style="tinygsm", documents=args.documents, problems={"steps": (1, 4)}
        )
        texts = [document.text for document in synthetic.documents(settings, "tg")]
        with (Path(folder) / "train.jsonl").open("w", encoding="utf-8") as file:
            for text in texts:
                question, _, code = text.partition("\n\n")
                file.write(json.dumps({"question": question, "code": code}) + "\n")
        train_bpe(texts[:5000], args.vocabulary).save_pretrained(Path(folder) / "tokenizer")
        tokenizer = AutoTokenizer.from_pretrained(Path(folder) / "tokenizer")
        table = Dataset.from_json(f"{folder}/train.jsonl", cache_dir=f"{folder}/cache")
        rates: dict[str, float] = {}
        tokens, per_processor_second = 0, 0.0
        for number in range(args.rounds + 1):  # the first warms up
            for processes in sorted({1, cores}):
                started = time.perf_counter()
                work = [(folder, part, processes) for part in range(processes)]
                counts, seconds = zip(*pool.starmap(shard, work, chunksize=1), strict=True)
                tokens = sum(counts)
                ours = tokens / (time.perf_counter() - started)
                per_processor_second = max(per_processor_second, tokens / sum(seconds))
                started = time.perf_counter()
                assert peer(table, tokenizer, processes) == tokens
                theirs = tokens / (time.perf_counter() - started)
                if number:
                    for name, rate in (("echochamber", ours), ("datasets.map", theirs)):
                        key = f"{name}, {processes} cores"
                        rates[key] = max(rates.get(key, 0), rate)
                        print(f"{key}: {rate:.3g} tokens/s", flush=True)
    result = {
        "benchmark": "tokens",
        "tokens_per_second": rates,
        "ratio_1_core": rates["echochamber, 1 cores"] / rates["datasets.map, 1 cores"],
        "ratio_all_cores": rates[f"echochamber, {cores} cores"] / rates[f"datasets.map, {cores} cores"],
        "scaling": rates[f"echochamber, {cores} cores"] / rates["echochamber, 1 cores"],
        "tokens_per_processor_second": per_processor_second,
        "documents": args.documents,
        "tokens_per_document": tokens / args.documents,
        "cores": cores,
        "machine": platform.machine(),
        "load_average": os.getloadavg()[0],
        "versions": {name: versions()[name] for name in ("tokenizers", "transformers")}
        | {"datasets": datasets.__version__},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
