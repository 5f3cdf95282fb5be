"""A hub with what the paper's two grids read, in tiny: checkpoints laid out as the authors' script converts them, the
tokenizer's repository, corpora and question sets, and these grids cut down to it."""

from __future__ import annotations

import json
from pathlib import Path

import hub_files
import verify_data
from transformers import OlmoConfig, OlmoForCausalLM, PreTrainedTokenizerBase

from echochamber.data.tokenizer import train_bpe
from echochamber.datasets import CORPORA
from echochamber.grid import parsing

ROOT = Path(__file__).parents[2]
VOCABULARY = 600
MIRROR = "hf-internal-testing/llama-tokenizer"
FEMTO = {"width": 16, "layers": 1, "heads": 2, "intermediate": 32}
RL = {"passes": 1, "prompts_per_batch": 4, "samples_per_prompt": 2, "update_batch": 4, "micro_batch": 4, "mean_of": 2}
RL |= {"log_spaced_checkpoints": 1, "precision": "fp32"}
SAMPLING = {"temperature": 1.0, "top_p": 1.0, "max_new_tokens": 12}


def fill(root: Path, models: list[str]) -> None:
    """Write the repositories into a folder, as `stub_hub.serve` takes it."""
    tokenizer = train_bpe(_corpora(root), VOCABULARY)
    assert len(tokenizer) == VOCABULARY
    tokenizer.save_pretrained(root / MIRROR)
    for number, repository in enumerate(models):
        checkpoint(root / repository, tokenizer, tied="-1B-" in repository, sharded=bool(number % 2))
    for split, count in (("train", 16), ("test", 12)):
        rows = verify_data.rows(f"gsm8k/{split}.jsonl")[:count]
        hub_files.write(root / "openai/gsm8k", f"main/{split}-00000-of-00001.parquet", rows)


def checkpoint(folder: Path, tokenizer: PreTrainedTokenizerBase, *, tied: bool, sharded: bool) -> None:
    """A base model as OLMo's conversion script leaves it: end token 0 in config.json, and 2 in the tokenizer."""
    config = OlmoConfig(
        vocab_size=VOCABULARY,
        hidden_size=FEMTO["width"],
        intermediate_size=FEMTO["intermediate"],
        num_hidden_layers=FEMTO["layers"],
        num_attention_heads=FEMTO["heads"],
        max_position_embeddings=2048,
        tie_word_embeddings=tied,
        eos_token_id=0,
        pad_token_id=1,
        bos_token_id=None,
    )
    OlmoForCausalLM(config).save_pretrained(folder, max_shard_size="30KB" if sharded else "1GB")
    tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text("A model card.\n", encoding="utf-8")
    (folder / "training_args.bin").write_bytes(b"not weights")


def _corpora(root: Path) -> list[str]:
    """Real rows where there are some, background made up; returns texts to train a tokenizer on."""
    texts = []
    for dataset, (source, file, *columns) in hub_files.REAL.items():
        rows = verify_data.rows(source)[:100]
        if dataset != "gsm8k-train":
            hub_files.write(root / CORPORA[dataset].repository, file, rows)
        texts += ["\n\n".join(row[column] for column in columns) for row in rows]
    web = [{"text": f"Page {i}: the sum of {i} and {i} is {2 * i}. " * (1 + i % 9), "score": 3.5} for i in range(200)]
    code = [{"text": f"theorem t{i} : {i} + {i} = {2 * i} := rfl\n" * (1 + i % 9), "meta": {}} for i in range(200)]
    hub_files.write(root / "HuggingFaceTB/finemath", "finemath-3plus/train-00000-of-00001.parquet", web)
    hub_files.write(root / "EleutherAI/proof-pile-2", "algebraic-stack/train/lean0000.jsonl.zst", code)
    return texts


def released() -> dict:
    """config/released.yaml with two models, of both sizes, and few steps and questions."""
    config = _small(parsing.read(ROOT / "config/released.yaml"), ["bases-150m", "fig7"])
    config["studies"]["bases-150m"]["models"] = ["tg+omi1+omi2.150m", "8xtg.150m"]
    config["studies"]["fig7"]["run_seeds"] = [0]
    return config


def paper() -> dict:
    """config/paper.yaml with its Figure 2 alone, at 150m of tiny width."""
    config = _small(parsing.read(ROOT / "config/paper.yaml"), ["fig2"])
    config["tokenizer"]["vocabulary"] = VOCABULARY
    config["mixtures"] = {"tg+omi1+omi2": config["mixtures"]["tg+omi1+omi2"]}
    for settings in config["corpora"].values():
        settings["shards"] = 1
    few = {"sequence_length": 208, "batch_rows": 32, "warmup_steps": 2, "precision": "fp32", "held_out_documents": 1}
    return config | {"pretraining": few}


def _small(config: dict, studies: list[str]) -> dict:
    config["hardware"] = {"device": "CPU"}
    config["scales"] = {"150m": FEMTO, "1b": FEMTO | {"tied": True}}
    config["studies"] = {name: config["studies"][name] for name in studies}
    config["primary"] = {}
    config["algorithms"] = {"ppo": config["algorithms"]["ppo"] | RL | {"sampling": SAMPLING}}
    config["prompts"] = {"gsm8k": config["prompts"]["gsm8k"] | {"count": 8}}
    few = {"count": 4, "samples": 2, "max_new_tokens": 12, "precision": "fp32"}
    asked = {name for study in config["studies"].values() for name in study["benchmarks"]}
    config["benchmarks"] = {name: config["benchmarks"][name] | few for name in asked}
    for settings in config["benchmarks"].values():
        settings.pop("samples_between", None)
    config["question_sets"] = {"gsm8k": config["question_sets"]["gsm8k"]}
    config["base_samples"] = {"samples": 2}
    return json.loads(json.dumps(config))
