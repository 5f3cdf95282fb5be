"""config/own-model.yaml with a tiny random Qwen2 and few questions: model, questions and algorithm are a grid."""

import json
import re
from pathlib import Path

import bases
import datasets
import pandas as pd
import pytest
import torch
import upload_hub
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer
from workflow_grid import Grid

import echochamber
from echochamber.grid import parsing
from echochamber.models.generation_defaults import end_tokens

CONFIG = Path(__file__).parents[2] / "config/own-model.yaml"
FEW = {"prompts_per_batch": 4, "samples_per_prompt": 2, "update_batch": 8, "micro_batch": 8, "precision": "fp32"}


def cut_down(config: dict) -> dict:
    """The same grid, with a folder for the model, files for the questions, and fewer of everything."""
    config["hardware"] = {"device": "CPU"}
    config["models"]["qwen"]["import"] = "qwen"
    config["question_sets"]["gsm8k"] = {"kind": "local", "train": "train.jsonl", "test": "test.jsonl"}
    config["prompts"]["gsm8k"]["count"] = 8
    grpo = config["algorithms"]["grpo"]
    config["algorithms"]["grpo"] = grpo | FEW | {"sampling": grpo["sampling"] | {"max_new_tokens": 12}}
    few = {"count": 3, "samples": 2, "max_new_tokens": 12, "precision": "fp32"}
    config["benchmarks"]["gsm8k"] |= few
    config["base_samples"] = {"samples": 2}
    config["studies"]["own"]["run_seeds"] = [0]
    return config


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    grid = Grid(tmp_path_factory.mktemp("own-model"), "own-model")
    config = cut_down(yaml.safe_load(CONFIG.read_text(encoding="utf-8")))
    grid.file.write_text(yaml.safe_dump(config), encoding="utf-8")
    bases.save(grid.folder / "qwen", "qwen2")
    for split, numbers in (("train", range(8)), ("test", range(20, 23))):
        rows = [{"question": f"What is {i} + {i}, Ann?", "answer": str(2 * i)} for i in numbers]
        (grid.folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    ran = grid.snakemake()
    assert ran.returncode == 0, ran.stdout
    return grid


def test_the_first_look_of_the_docs_is_a_grid():
    text = (CONFIG.parents[1] / "docs/own-model.md").read_text(encoding="utf-8")
    (first,) = re.findall(r"For a first look set (.*?);", text, re.DOTALL)
    said = dict(re.findall(r"`(\w+): ([^`]+)`", first))
    assert said.keys() == {"run_seeds", "count", "prompts_per_batch", "update_batch"}
    config = parsing.read(CONFIG)
    config["studies"]["own"]["run_seeds"] = yaml.safe_load(said["run_seeds"])
    for asked in ("prompts", "benchmarks"):
        config[asked]["gsm8k"]["count"] = int(said["count"])
    config["algorithms"]["grpo"] |= {name: int(said[name]) for name in ("prompts_per_batch", "update_batch")}
    assert len(parsing.parse(config, "x.yaml").runs) == 1


def test_it_is_a_whole_grid_up_to_the_report(grid):
    assert "What does RL on GSM8K do to my model?" in (grid.results / "report.html").read_text(encoding="utf-8")
    assert {path.name for path in (grid.results / "figures").rglob("*.png")}
    assert not {"corpora", "tokenizer", "mixtures", "models"} & {path.name for path in grid.results.iterdir()}


def test_the_kept_model_writes_the_measured_answers_in_anybodys_hands(grid):
    kept = sorted((grid.results / "runs/imported/qwen/grpo/gsm8k/seed0/checkpoints").iterdir())[-1]
    samples = pd.read_parquet(grid.results / "evals/imported/qwen/grpo/gsm8k/seed0/gsm8k/samples.parquet")
    last = samples[(samples["step"] == samples["step"].max()) & (samples["mode"] == "greedy")]
    tokenizer, model = AutoTokenizer.from_pretrained(kept), AutoModelForCausalLM.from_pretrained(kept)
    form = echochamber.PromptForm(chat=yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["prompts"]["gsm8k"]["chat"])
    for number, completion in zip(range(20, 23), last["completion"], strict=True):
        (prompt,) = echochamber.encode_questions(tokenizer, [f"What is {number} + {number}, Ann?"], form)
        ids = torch.tensor([prompt])
        written = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False)
        new = written[0, len(prompt) :].tolist()
        bare = new[:-1] if new[-1] in end_tokens(tokenizer, model.generation_config) else new
        assert tokenizer.decode(bare) == completion


def test_its_planned_size_fits_the_card_that_it_names(grid):
    """With the shape of Qwen2.5-0.5B, from its config.json alone."""
    folder = grid.folder / "data/Qwen/Qwen2.5-0.5B-Instruct"
    folder.mkdir(parents=True)
    shape = {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "vocab_size": 151936}
    shape |= {"num_attention_heads": 14, "num_key_value_heads": 2, "tie_word_embeddings": True, "model_type": "qwen2"}
    (folder / "config.json").write_text(json.dumps(shape), encoding="utf-8")
    planned = grid.snakemake("--configfile", str(CONFIG), "--", "plan")
    assert planned.returncode == 0, planned.stdout
    assert "RTX 4090" in planned.stdout
    assert "too large" not in planned.stdout
    assert "2 of 2 claims have the replicates" in planned.stdout
    assert "guessed: models" not in planned.stdout


def test_publish_writes_a_card_and_lists_what_would_be_uploaded(grid):
    dry = grid.snakemake("--", "publish")
    assert dry.returncode == 0, dry.stdout
    assert "dry run: " in dry.stdout
    folder = grid.results / "publish/imported--qwen--grpo--gsm8k--seed0"
    assert AutoModelForCausalLM.from_pretrained(folder / "model").dtype == torch.float32
    card = (folder / "model/README.md").read_text(encoding="utf-8")
    head = yaml.safe_load(card.split("---")[1])
    assert (head["library_name"], head["tags"]) == ("transformers", ["echochamber", "grpo"])
    assert "base_model" not in head  # a folder of this machine is nothing that the hub knows
    gains = pd.read_csv(grid.results / "tables/gains.csv")
    row = gains[(gains["scorer"] == "written") & (gains["metric"] == "greedy_accuracy")].iloc[0]
    low, high = (f"{row[end]:+.2f}" for end in ("low", "high"))
    assert f"| gsm8k | greedy accuracy | {row['base']:.2f} | {row['final']:.2f} | {row['estimate']:+.2f} [{low}" in card
    assert f"{low}, {high}]" in card
    for said in ("reward: written", "Reason step by step", "What does RL on GSM8K do to my model?", "torch 2"):
        assert said in card
    assert "host" not in json.loads((folder / "model/provenance.json").read_text(encoding="utf-8"))["machine"]
    assert (folder / "model/tables/scores.csv").exists()
    assert list((folder / "model/figures").glob("own-*.png"))
    samples = datasets.load_dataset(str(folder / "samples"), "gsm8k", split="train", cache_dir=str(grid.folder / "hf"))
    measured = pd.read_parquet(grid.results / "evals/imported/qwen/grpo/gsm8k/seed0/gsm8k/samples.parquet")
    assert samples["completion"] == measured["completion"].tolist()


def test_publish_uploads_model_and_samples(grid, tmp_path):
    with upload_hub.serve(tmp_path) as address:
        online = {"HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0", "HF_TOKEN": "hf_stub", "HF_HUB_DISABLE_XET": "1"}
        ran = grid.snakemake("--config", "to=me/mine", "--", "publish", environment=online)
        assert ran.returncode == 0, ran.stdout
        shown = grid.snakemake("--config", "to=me/open", "public=true", "--", "publish", environment=online)
        assert shown.returncode == 0, shown.stdout
        refused = grid.snakemake("--config", "to=nobody/mine", "--", "publish", environment=online)
    folder = grid.results / "publish/imported--qwen--grpo--gsm8k--seed0"
    for repository, part in (("models/me/mine", "model"), ("datasets/me/mine-samples", "samples")):
        ours = {
            path.relative_to(folder / part): path.read_bytes() for path in (folder / part).rglob("*") if path.is_file()
        }
        theirs = {
            path.relative_to(tmp_path / repository): path.read_bytes()
            for path in (tmp_path / repository).rglob("*")
            if path.is_file()
        }
        assert theirs == ours
    assert (tmp_path / "created.jsonl").read_text().count('"visibility": "private"') == 2
    created = [json.loads(line) for line in (tmp_path / "created.jsonl").read_text().splitlines()]
    public = [asked["name"] for asked in created if asked.get("visibility") != "private"]
    assert public == ["open", "open-samples"]
    assert refused.returncode == 1
    assert "to: nobody/mine: the upload failed" in refused.stdout
